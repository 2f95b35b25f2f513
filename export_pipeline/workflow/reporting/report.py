"""The report: one HTML page with everything in it, and the same in short as Markdown; pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from export_pipeline.ledger.figures import DAY_SECONDS
from export_pipeline.ledger.rows import ScanState
from export_pipeline.workflow import words
from export_pipeline.workflow.alerting.causes import in_brief, is_failure
from export_pipeline.workflow.reporting.charts import HEIGHT, WIDTH, stacks, timeline
from export_pipeline.workflow.reporting.figures import DURATION_DAYS, ENDING_DAYS, Figures
from export_pipeline.workflow.status import LastingCause


def render_page(figures: Figures) -> str:
    """The page: needs nothing but itself, reads in light and dark, and prints."""
    page = _PAGE.render(
        figures=figures,
        totals=totals(figures),
        wrong=wrong(figures),
        states=list(ScanState),
        stacks=stacks(figures.states),
        timeline=timeline(figures.days, int(figures.at // DAY_SECONDS)),
        width=WIDTH,
        height=HEIGHT,
        duration_days=DURATION_DAYS,
        ending_days=ENDING_DAYS,
    )
    # As `html.escape` spells them, by which the pages that name a scan are found to forget it.
    return page.replace("&#34;", "&quot;").replace("&#39;", "&#x27;")


def wrong(figures: Figures) -> Sequence[LastingCause]:
    """What lasts, without failed scans: they have a list of their own, with more of each."""
    return [one for one in figures.status.alerts.lasting if not is_failure(one.cause)]


def totals(figures: Figures) -> Mapping[str, Any]:
    """Sums over all vendors: scans, the share archived whole, orders in the queue, failed scans."""
    counts = Counter[ScanState]()
    for one in figures.states:
        counts[one.state] += one.scans
    scans = counts.total()
    return {
        "scans": scans,
        # Rounded down: 100% is said only of all.
        "archived_share": f"{100 * counts[ScanState.ARCHIVED] // scans}%" if scans else "none",
        "waiting": sum(one.queued for one in figures.status.accounts),
        "failed": counts[ScanState.FAILED],
    }


def moment(seconds: float) -> str:
    """A moment to the minute, in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def day(number: int) -> str:
    """A day since the epoch as a date."""
    return f"{datetime.fromtimestamp(number * DAY_SECONDS, UTC):%Y-%m-%d}"


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "moment": moment,
        "day": day,
        "brief": in_brief,
        "duration": words.duration,
        "size": words.size,
        "plural": words.plural,
        "number": "{:,}".format,
    }
    return made


_PAGE = _environment().get_template("report.html")
