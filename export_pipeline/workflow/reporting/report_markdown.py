"""The report in short, as pieces of Markdown for Dagster's UI: tables, and charts of characters.

The UI shows inline images too, but characters take the colours of its theme. What is longer than
`INLINE_CHARACTERS` it hides behind a link. No scan is named, as Dagster keeps its events for good,
and a scan may be forgotten: the page names them.
"""

from collections.abc import Sequence

from export_pipeline.ledger.figures import DAY_SECONDS
from export_pipeline.ledger.rows import ScanState
from export_pipeline.workflow.reporting.charts import stacks, timeline
from export_pipeline.workflow.reporting.figures import Figures
from export_pipeline.workflow.reporting.report import day, moment, wrong
from export_pipeline.workflow.words import duration, plural, size

INLINE_CHARACTERS = 999
"""As Dagster 1.13.27's UI has it."""
CELLS = 12
"""Width of a whole bar, in characters."""
_HEIGHTS = "·▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def render_markdown(figures: Figures) -> dict[str, str]:
    """Each part of the report by its name."""
    return {
        "wrong_now": _wrong(figures),
        "scans_by_state": _scans(figures),
        "bytes_over_time": _bytes(figures),
        "order_to_seal": _durations(figures),
        "quotas": _quotas(figures),
        "not_archived_whole": _failures(figures),
        "fixity": _fixity(figures),
    }


def _wrong(figures: Figures) -> str:
    rows = [(one.title, duration(one.age_seconds)) for one in wrong(figures)]
    return table(("what", "for"), rows, len(rows))


def _scans(figures: Figures) -> str:
    found = stacks(figures.states)
    states = [state for state in ScanState if any(one.state == state for one in figures.states)]
    rows = []
    for vendor, pieces in found.items():
        counts = {piece.state: piece.scans for piece in pieces}
        whole = counts.get(ScanState.ARCHIVED, 0) / sum(counts.values())
        rows.append(
            (
                vendor,
                *(f"{counts.get(state, 0):,}" for state in states),
                f"{bar(whole)} {int(100 * whole)}%",
            )
        )
    return table(("vendor", *(state.value for state in states), "archived whole"), rows, len(rows))


def _bytes(figures: Figures) -> str:
    chart = timeline(figures.days, int(figures.at // DAY_SECONDS))
    if chart is None:
        return "nothing is sealed yet"
    columns = spark([one.bytes / max(chart.highest, 1) for one in chart.bars])
    first, last = chart.bars[0], chart.bars[-1]
    return (
        f"`{columns}`\n\n{day(first.first)} to {day(last.last)}, a column for"
        f" {plural(first.last - first.first + 1, 'day')}, the highest {size(chart.highest)};"
        f" all: {size(chart.total)}"
    )


def _durations(figures: Figures) -> str:
    rows = [
        (one.vendor, f"{one.bags:,}", duration(one.median), duration(one.p95))
        for one in figures.durations
    ]
    return table(("vendor", "bags", "median", "95 of 100 within"), rows, len(rows))


def _quotas(figures: Figures) -> str:
    rows = [
        (
            f"{one.vendor} {one.account}",
            ", ".join(f"{quota.granted:,}" for quota in one.quotas),
            f"{one.queued:,} in {duration(one.queue_seconds)}",
            f"{one.unordered:,} in {duration(one.backlog_seconds)}",
            f"{one.expiring:,}",
        )
        for one in figures.status.accounts
    ]
    headers = ("account", "calls used", "queue, sent", "not ordered, sent", "expire before")
    return table(headers, rows, len(rows))


def _failures(figures: Figures) -> str:
    rows = [
        (
            f"{one.scans:,} {one.state}",
            f"{one.vendor} {one.account}",
            code(one.common),
            code(one.command_for_all or "nothing"),
        )
        for one in figures.failures
    ]
    return table(("scans", "of", "why", "mend with"), rows, len(rows))


def _fixity(figures: Figures) -> str:
    damage = f"{plural(figures.damaged_count, 'bag')} of {figures.bags:,} damaged"
    if figures.oldest is None:
        return damage
    oldest = f"verified longest ago: {moment(figures.oldest.verified_at)}"
    return f"{damage}\n\n{oldest}, {figures.never_audited:,} not since they were sealed"


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], count: int) -> str:
    """The first of `count` rows, as many as the UI shows at once."""
    if not rows:
        return "none"
    text = "| " + " | ".join(headers) + " |\n|" + " --- |" * len(headers)
    room = INLINE_CHARACTERS - len("\n\nand 1,000,000 more")
    for number, row in enumerate(rows):
        line = "\n| " + " | ".join(row) + " |"
        if number and len(text) + len(line) > room:
            return f"{text}\n\nand {count - number:,} more"
        text += line
    return text if count == len(rows) else f"{text}\n\nand {count - len(rows):,} more"


def bar(share: float) -> str:
    """A bar from the left; what is more than nothing is seen."""
    eighths = max(round(share * CELLS * 8), 1 if share > 0 else 0)
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (_EIGHTHS[rest] if rest else "")


def spark(shares: Sequence[float]) -> str:
    """Columns side by side."""
    return "".join(_HEIGHTS[max(round(share * 8), 1 if share > 0 else 0)] for share in shares)


def code(text: str) -> str:
    """Text of others as code in a cell of a table: nothing in it is markup or ends the cell."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return "`" + plain.replace("`", "\N{PRIME}").replace("|", "\\|") + "`"
