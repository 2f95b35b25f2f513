"""The page and the Markdown from a ledger of made-up scans, hostile ones among them."""

import html
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from export_pipeline.ledger import alerts, quotas
from export_pipeline.ledger.database import Ledger, sqlite_url
from export_pipeline.ledger.home import make_ledger
from export_pipeline.ledger.quotas import Quota
from export_pipeline.scans import escape
from export_pipeline.settings import Settings
from export_pipeline.vendors.open import open_vendors
from export_pipeline.workflow.alerting.causes import read_causes
from export_pipeline.workflow.reporting.figures import LISTED, Figures, read_figures
from export_pipeline.workflow.reporting.report import render_page
from export_pipeline.workflow.reporting.report_markdown import INLINE_CHARACTERS, render_markdown
from export_pipeline_tests.ledger.conftest import SteppedClock
from export_pipeline_tests.ledger.made_up import add_generations, add_orders, add_scans

HOSTILE = ['a/../b%2f;:"<x>', "<script>alert(1)</script>", "`|*_~`", "line\nbreak", "é ü", "=2e"]
SIGNED = "https://bucket.example/key?X-Amz-Signature=0123456789abcdef"
MARKUP = "</td><img src=https://evil.example/x onerror=alert(1)>"
ACCOUNT = {"EXPORT_COPYLEAKS_EMAIL": "a@example.com", "EXPORT_COPYLEAKS_KEY": "the-key-of-it"}
DAY = 86_400.0


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = make_ledger(sqlite_url(tmp_path), SteppedClock())
    yield made
    made.close()


def read(ledger: Ledger) -> Figures:
    settings = Settings.from_env(ACCOUNT)
    vendors = open_vendors(settings, ledger)
    with ledger.write() as tx:
        alerts.note(tx, read_causes(tx, vendors, settings.order_deadline), is_told=False)
    with ledger.read() as tx:
        return read_figures(tx, vendors)


def fill(ledger: Ledger) -> None:
    with ledger.write() as tx:
        failed = [{"scan": name, "state": "failed", "reason": MARKUP} for name in HOSTILE]
        add_scans(tx, failed)
        add_scans(tx, [{"scan": "lost", "state": "expired at vendor", "reason": "gone"}])
        add_scans(tx, [{"scan": "lacks", "state": "partial", "reason": f"pdf: at {SIGNED}"}])
        soon = {"state": "registered", "expires_at": tx.now + DAY}
        add_scans(tx, [{**soon, "scan": f"soon {n} {HOSTILE[1]}"} for n in range(LISTED + 5)])
        ids = add_scans(tx, [{"scan": f"{n} {HOSTILE[1]}", "state": "archived"} for n in range(40)])
        add_generations(
            tx,
            [
                {
                    "scan_id": one,
                    "opened_at": tx.now - place * DAY - 600,
                    "sealed_at": tx.now - place * DAY,
                    "damage": MARKUP if place > 14 else "",
                }
                for place, one in enumerate(ids)
            ],
        )
        queued = {"state": "queued", "expires_at": 253_402_300_800.0}
        add_orders(tx, [{**queued, "id": f"o{one}", "scan_id": one} for one in ids[:7]])
        for _ in range(37):
            quotas.claim(tx, "copyleaks", "default", [Quota("exports per minute", 10, 60.0)])
        quotas.cool_down(tx, "copyleaks", "default", 300, SIGNED, needs_person=True)


class Page(HTMLParser):
    """What a browser would make of the page: its elements, their addresses, its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.pieces: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.pieces).split())


def test_the_page_shows_every_figure(ledger: Ledger) -> None:
    fill(ledger)
    text = Page(render_page(read(ledger))).text
    for said in (
        "73 scans",
        "54% of them archived whole",
        "25 bags damaged",
        "10 min 0 s",
        "exports per minute: 10",
        "37;",
        "6 scans failed",
        "2 other things wrong",
        "6 failed",
        "export-pipeline retry --vendor copyleaks --account default",
        "nothing brings them back",
        "export-pipeline retry --new-generation --vendor copyleaks --account default lacks",
        "copyleaks account default needs a person",
        "Verified longest ago: 39 <script>alert(1)</script>",
        "40 bags of 40 were verified when they were sealed",
        "and 5 more",
    ):
        assert said in text, said


def test_what_others_wrote_is_text_on_the_page_and_nothing_is_loaded_or_run(
    ledger: Ledger,
) -> None:
    fill(ledger)
    page = render_page(read(ledger))
    found = Page(page)
    assert not found.elements & {"script", "img", "link", "iframe", "object", "base", "form"}
    assert not found.attributes & {"src", "href", "srcset", "action", "onerror", "onload"}
    assert "url(" not in page
    assert "@import" not in page
    assert "<script>alert(1)</script>" in found.text
    assert MARKUP.replace("https://evil.example/x", "https://evil.example/[redacted]") in found.text


def test_no_signed_url_is_on_the_page_or_in_the_markdown(ledger: Ledger) -> None:
    fill(ledger)
    figures = read(ledger)
    text = render_page(figures) + str(render_markdown(figures))
    assert "Amz" not in text
    assert "bucket.example" in text


def test_an_empty_ledger_has_a_page_too(ledger: Ledger) -> None:
    figures = read(ledger)
    text = Page(render_page(figures)).text
    for said in ("Nothing is sealed yet", "No scan is registered", "Nothing that lasts is known"):
        assert said in text
    assert render_markdown(figures)["bytes_over_time"] == "nothing is sealed yet"


def test_the_markdown_is_short_enough_for_dagster_to_show_and_says_what_it_leaves_out(
    ledger: Ledger,
) -> None:
    fill(ledger)
    parts = render_markdown(read(ledger))
    assert {name: len(text) for name, text in parts.items() if len(text) > INLINE_CHARACTERS} == {}
    assert "25 bags of 40 damaged" in parts["fixity"]
    assert "| copyleaks | 25 | 40 | 1 | 6 | 1 | ██████▋ 54% |" in parts["scans_by_state"]
    assert "█" in parts["bytes_over_time"]
    lines = parts["not_archived_whole"].splitlines()
    assert all(line.replace("\\|", "").count("|") == 5 for line in lines if line.startswith("|"))


def test_what_no_longer_counts_as_wrong_is_not_listed_twice(ledger: Ledger) -> None:
    fill(ledger)
    figures = read(ledger)
    titles = [one.title for one in figures.status.alerts.lasting]
    assert any("failed" in title for title in titles)
    assert "failed" not in render_markdown(figures)["wrong_now"]


def test_a_page_that_names_a_scan_is_found_by_its_id_and_the_markdown_names_none(
    ledger: Ledger,
) -> None:
    """Forgetting a scan removes the pages that name it; what Dagster keeps must not."""
    name = """it's "a" <scan> & more"""
    with ledger.write() as tx:
        facts = f"refused (scan {name}, account default)"
        add_scans(tx, [{"scan": name, "state": "failed", "reason": facts}])
        add_scans(tx, [{"scan": "damaged-one", "state": "archived"}])
        add_generations(tx, [{"scan_id": 2, "damage": "damaged-one/1/data/x changed"}])
    figures = read(ledger)
    assert html.escape(name) in render_page(figures)
    markdown = str(render_markdown(figures))
    assert "refused" in markdown
    assert not any(part in markdown for part in (name, escape(name), "it's", "damaged-one"))


def test_a_whole_archive_alone_is_100_percent(ledger: Ledger) -> None:
    with ledger.write() as tx:
        add_scans(tx, [{"scan": f"{n}", "state": "archived"} for n in range(999)])
        add_scans(tx, [{"scan": "bad", "state": "failed"}])
    figures = read(ledger)
    assert "99% of them archived whole" in Page(render_page(figures)).text
    all_well = [one for one in figures.states if one.state == "archived"]
    assert "100% of them" in Page(render_page(replace(figures, states=all_well))).text
