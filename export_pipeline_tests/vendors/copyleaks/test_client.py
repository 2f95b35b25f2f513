import asyncio
import json
import subprocess
import sys
from dataclasses import replace

import pytest

from export_pipeline.errors import OrderRefused, ScanGone, TurnMissed, VendorUnavailable
from export_pipeline.ledger import leases, quotas
from export_pipeline.sandbox import ScanSpec
from export_pipeline.settings import Settings
from export_pipeline.vendors import channel
from export_pipeline.vendors.copyleaks.client import refused_kinds
from export_pipeline.vendors.copyleaks.exports import Copyleaks
from export_pipeline.vendors.copyleaks.login import LOGINS
from export_pipeline.vendors.copyleaks.models import ErrorDetail, ErrorFacts
from export_pipeline.vendors.http import CALL_SECONDS
from export_pipeline.vendors.login import LEASE_SECONDS, TURN_SECONDS
from export_pipeline_tests.vendors.conformance import failing, place
from export_pipeline_tests.vendors.copyleaks import login_process
from export_pipeline_tests.vendors.copyleaks.bench import CopyleaksBench, target
from export_pipeline_tests.vendors.transport import answer

PROCESSES = 2
ORDERS_AT_ONCE = 20


def test_two_processes_share_one_login(bench: CopyleaksBench) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", login_process.__name__],
            env=bench.process_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate()[0] for process in processes]
    assert len(set(said)) == 1
    assert float(said[0]) > 0
    assert bench.logins() == 1


def test_many_orders_at_once_share_one_login(bench: CopyleaksBench) -> None:
    placements = [bench.placement(f"essay-{number}") for number in range(ORDERS_AT_ONCE)]

    async def scenario() -> None:
        async with bench.vendor as vendor:
            await asyncio.gather(*(vendor.place(placement) for placement in placements))

    asyncio.run(scenario())
    assert bench.logins() == 1
    assert len(bench.arrived()) == ORDERS_AT_ONCE


def test_the_login_of_a_dead_process_is_taken_over(bench: CopyleaksBench) -> None:
    with bench.ledger.write() as tx:
        leases.acquire(tx, "login/copyleaks/default", "a dead process", 0.5)
    place(bench, bench.placement())
    assert bench.logins() == 1


def test_an_order_is_given_back_when_a_login_elsewhere_takes_too_long(
    bench: CopyleaksBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "WHOLE_SECONDS", 0.1)
    with bench.ledger.write() as tx:
        leases.acquire(tx, "login/copyleaks/default", "a slow process", LEASE_SECONDS)
    error = failing(bench, bench.placement())
    assert isinstance(error, VendorUnavailable)
    assert "login and turn included" in str(error)


def test_a_login_beyond_the_vendors_limit_is_not_sent(bench: CopyleaksBench) -> None:
    with bench.ledger.write() as tx:
        for _ in range(LOGINS.burst):
            quotas.claim(tx, "copyleaks", "default", [LOGINS])
    error = failing(bench, bench.placement())
    assert isinstance(error, VendorUnavailable)
    assert "logins per 15 minutes" in str(error)
    assert "holds it back until" in str(error)
    assert bench.logins() == 0
    with bench.ledger.read() as tx:
        assert quotas.granted(tx, "copyleaks", "default", LOGINS.name) == LOGINS.burst
        assert not leases.is_held(tx, "login/copyleaks/default")


def test_a_login_takes_less_than_its_lease() -> None:
    assert TURN_SECONDS + CALL_SECONDS < LEASE_SECONDS


def test_a_turn_that_a_login_made_stale_is_claimed_again(bench: CopyleaksBench) -> None:
    name = bench.vendor.quotas("default")[0].name
    place(bench, bench.placement(), bench.placement("essay-2"))
    with bench.ledger.read() as tx:
        assert quotas.granted(tx, "copyleaks", "default", name) == 1


def test_a_login_beforehand_costs_no_turn(bench: CopyleaksBench) -> None:
    async def scenario() -> None:
        async with bench.vendor as vendor:
            await vendor.prepare("default")
            await vendor.prepare("default")
            await vendor.place(bench.placement())

    asyncio.run(scenario())
    assert bench.logins() == 1
    name = bench.vendor.quotas("default")[0].name
    with bench.ledger.read() as tx:
        assert quotas.granted(tx, "copyleaks", "default", name) == 0


def test_nothing_is_sent_on_a_turn_that_has_passed(bench: CopyleaksBench) -> None:
    """Sent all the same on a busy machine, an order was answered 429: it crowded later ones."""
    place(bench, bench.placement())
    late = replace(bench.placement("essay-2"), is_on_time=lambda: False)
    with pytest.raises(TurnMissed):
        place(bench, late)
    assert [scan for scan, _ in bench.arrived()] == ["essay-1"]


def test_a_token_of_another_key_is_not_used(bench: CopyleaksBench) -> None:
    place(bench, bench.placement())
    other = {**bench.process_environment(), "EXPORT_COPYLEAKS_KEY": "another-key"}
    bench.vendor = Copyleaks(Settings.from_env(other), bench.ledger)
    error = failing(bench, bench.placement())
    assert "invalid_credentials" in str(error)


def test_an_order_for_a_pdf_that_the_scan_lacks_names_the_pdf(bench: CopyleaksBench) -> None:
    placement = bench.placement(at_vendor=False)
    bench.add(ScanSpec("essay-1", artifacts=("crawledVersion",)))
    error = failing(bench, placement)
    assert isinstance(error, OrderRefused)
    assert error.fields == ("pdf_report",)
    assert error.request_id


@pytest.mark.parametrize(
    ("param", "kind"),
    [
        ("pdfReport", "pdf_report"),
        ("PdfReport.Endpoint", "pdf_report"),
        ("$.aiDetection.verb", "ai_detection"),
        ("results[3].id", "results"),
        ("results/2a1b", "results"),
        ("writingFeedback", "writing_feedback"),
        ("crawledVersion", "crawled_version"),
        ("overview", "overview"),
        ("completionWebhook", None),
        ("", None),
    ],
)
def test_a_refusal_names_our_artifacts(param: str, kind: str | None) -> None:
    said = ErrorFacts(details=[ErrorDetail(param=param), ErrorDetail(param=param)])
    assert refused_kinds(said) == ((kind,) if kind else ())


def test_the_web_frameworks_own_refusal_names_what_is_wrong_too(bench: CopyleaksBench) -> None:
    body = {"title": "Wrong.", "status": 400, "errors": {"PdfReport": ["There is none."]}}
    place(bench, bench.placement("essay-2"))
    error = failing(bench, bench.placement(), answer(400, text=json.dumps(body)))
    assert isinstance(error, OrderRefused)
    assert error.fields == ("pdf_report",)
    assert "PdfReport: There is none." in str(error)


def test_a_refusal_names_the_results_as_the_vendor_knows_them(bench: CopyleaksBench) -> None:
    names = {"pdf_report.pdf": "", **{f"results/r{n}.json": f"R{n}" for n in range(4)}}
    kinds = {name: name.rpartition("/")[0] or "pdf_report" for name in names}
    ordered = replace(
        bench.placement(at_vendor=False),
        targets={name: target(name) for name in names},
        vendor_names=names,
        kinds=kinds,
    )
    params = ["results[3].id", "$.Results[1].endpoint", "results[3].verb", "results[9].id", "[0]"]
    params += ["results/R2", "results/R9"]
    details = [{"param": param, "message": "wrong"} for param in params]
    error = {"error": {"id": "invalid", "message": "No.", "details": details}}
    bench.planned.append(answer(400, text=json.dumps(error)))
    refused = failing(bench, ordered)
    assert isinstance(refused, OrderRefused)
    assert refused.vendor_names == ("R3", "R1", "R2")
    assert refused.fields == ("results",)


@pytest.mark.parametrize("scan_id", ["ab", "a" * 37, "a b c", "a?b#c"])
def test_an_id_that_the_vendor_cannot_have_is_never_sent(
    bench: CopyleaksBench, scan_id: str
) -> None:
    error = failing(bench, bench.placement(scan_id, at_vendor=False))
    assert isinstance(error, OrderRefused)
    assert repr(scan_id) in str(error)
    assert bench.logins() == 0


@pytest.mark.parametrize("body", ["", "{}", "null"])
@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_is_one_whatever_its_body(
    bench: CopyleaksBench, status: int, body: str
) -> None:
    bench.planned.append(answer(status, text=body))
    (receipt,) = place(bench, bench.placement(at_vendor=False))
    assert receipt.request_id is None


def test_a_resend_of_a_scan_that_is_gone_says_so(bench: CopyleaksBench) -> None:
    async def scenario() -> None:
        async with bench.vendor as vendor:
            await vendor.client("default").resend_webhook("a/gone")

    with pytest.raises(ScanGone, match="a/gone"):
        asyncio.run(scenario())
