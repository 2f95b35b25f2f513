"""What every vendor must do, proven against its sandbox over real HTTP.

A vendor's tests subclass `VendorConformance` and give a fixture `bench`.
"""

import asyncio
import logging
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import httpx
import pytest

from export_pipeline.errors import (
    AuthenticationFailed,
    DuplicateOrder,
    OrderRefused,
    RateLimited,
    ScanGone,
    VendorError,
    VendorUnavailable,
)
from export_pipeline.vendors.vendor import Placement, Receipt, Vendor
from export_pipeline_tests.vendors.transport import Planned, answer, breaking, echoes

HOSTILE_IDS = ('a/../b%2f;:"<x>', "..%2e", "a+b=c&d|e", "%00'--", "...", "http://x@y/z")
UNANSWERED = (httpx.ConnectError, httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError)
FAILING = (302, 400, 401, 403, 404, 408, 409, 410, 422, 429, 500, 502, 503)


class VendorBench(Protocol):
    """A vendor connected to its sandbox.

    `planned` are answers to calls, `planned_logins` to logins, given in place of the sandbox's;
    `secrets` is everything that no text may show, tokens given out so far included.
    """

    planned: deque[Planned]
    planned_logins: deque[Planned]

    @property
    def vendor(self) -> Vendor: ...
    @property
    def secrets(self) -> Sequence[str]: ...
    def placement(self, scan_id: str = "essay-1", *, at_vendor: bool = True) -> Placement: ...
    def arrived(self) -> list[tuple[str, str]]:
        """(scan, order) of each order that the vendor accepted."""

    def refuse_tokens(self) -> None:
        """Let the vendor refuse all tokens given out, long before their time."""

    def forget_quotas(self) -> None:
        """Let the ledger forget what was claimed, as if it were much later."""

    def logins(self) -> int: ...
    async def close(self) -> None: ...


def place(bench: VendorBench, *placements: Placement) -> list[Receipt]:
    async def scenario() -> list[Receipt]:
        try:
            return [await bench.vendor.place(placement) for placement in placements]
        finally:
            await bench.close()

    return asyncio.run(scenario())


def failing(bench: VendorBench, placement: Placement, *planned: Planned) -> VendorError:
    """The error of an order whose calls, after a login, are answered as planned."""
    bench.planned.extend(planned)
    with pytest.raises(VendorError) as caught:
        place(bench, placement)
    bench.planned.clear()
    return caught.value


class VendorConformance:
    def test_an_order_is_accepted_and_its_request_id_kept(self, bench: VendorBench) -> None:
        placement = bench.placement()
        (receipt,) = place(bench, placement)
        assert bench.arrived() == [("essay-1", placement.order.id)]
        assert receipt.request_id

    def test_an_order_sent_again_under_its_id_is_known_as_such(self, bench: VendorBench) -> None:
        placement = bench.placement()
        place(bench, placement)
        with pytest.raises(DuplicateOrder, match="essay-1"):
            place(bench, placement)

    @pytest.mark.parametrize("scan_id", HOSTILE_IDS)
    def test_a_hostile_id_reaches_the_vendor_as_it_is(
        self, bench: VendorBench, scan_id: str
    ) -> None:
        placement = bench.placement(scan_id)
        place(bench, placement)
        assert bench.arrived() == [(scan_id, placement.order.id)]

    def test_a_scan_that_the_vendor_lacks_is_gone_for_good(self, bench: VendorBench) -> None:
        error = failing(bench, bench.placement("deleted", at_vendor=False))
        assert isinstance(error, ScanGone)
        assert not error.transient
        assert "deleted" in str(error)

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, OrderRefused),
            (402, OrderRefused),
            (403, AuthenticationFailed),
            (404, ScanGone),
            (408, VendorUnavailable),
            (409, DuplicateOrder),
            (410, ScanGone),
            (422, OrderRefused),
            (429, RateLimited),
            (500, VendorUnavailable),
            (502, VendorUnavailable),
            (503, VendorUnavailable),
        ],
    )
    def test_a_status_is_classified(
        self, bench: VendorBench, status: int, kind: type[VendorError]
    ) -> None:
        placement = bench.placement()
        place(bench, placement)
        error = failing(bench, placement, answer(status, headers={"X-Request-Id": "req-7"}))
        assert type(error) is kind
        assert (error.status, error.scan, error.request_id) == (status, "essay-1", "req-7")

    @pytest.mark.parametrize("error", UNANSWERED)
    def test_a_broken_connection_is_transient(
        self, bench: VendorBench, error: type[httpx.RequestError]
    ) -> None:
        placement = bench.placement()
        place(bench, placement)
        found = failing(bench, placement, breaking(error, "broken"))
        assert isinstance(found, VendorUnavailable)
        assert found.transient

    def test_a_web_page_in_place_of_the_api_says_nothing_of_the_scan(
        self, bench: VendorBench
    ) -> None:
        page = answer(404, headers={"Content-Type": "text/html; charset=utf-8"}, text="<html>")
        placement = bench.placement()
        place(bench, placement)
        assert isinstance(failing(bench, placement, page), VendorUnavailable)

    def test_the_pause_that_the_vendor_asks_for_is_told(self, bench: VendorBench) -> None:
        placement = bench.placement()
        place(bench, placement)
        error = failing(bench, placement, answer(429, headers={"Retry-After": "17"}))
        assert isinstance(error, RateLimited)
        assert error.retry_after == 17

    def test_a_token_that_is_refused_early_is_renewed_once(self, bench: VendorBench) -> None:
        first, second = bench.placement(), bench.placement("essay-2")
        place(bench, first)
        bench.refuse_tokens()
        place(bench, second)
        assert [scan for scan, _ in bench.arrived()] == ["essay-1", "essay-2"]
        assert bench.logins() == 2

    def test_an_order_refused_with_a_new_token_too_is_a_matter_of_credentials(
        self, bench: VendorBench
    ) -> None:
        placement = bench.placement()
        place(bench, placement)
        real_login = bench.logins()
        error = failing(bench, placement, answer(401), answer(401))
        assert isinstance(error, AuthenticationFailed)
        assert bench.logins() == real_login + 1

    def test_no_secret_is_in_any_error_or_log(
        self, bench: VendorBench, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        placement = bench.placement()
        place(bench, placement)
        plans: list[Callable[[httpx.Request], httpx.Response]] = [
            *(echo for status in FAILING if status != 401 for echo in echoes(status)),
            *(breaking(kind, " ".join(bench.secrets)) for kind in UNANSWERED[1:]),
        ]
        for plan in plans:
            shows_no_secret(failing(bench, placement, plan), bench.secrets)
        shows_no_secret(caplog.text, bench.secrets)

    def test_no_secret_is_in_the_error_of_a_login(self, bench: VendorBench) -> None:
        placement = bench.placement()
        statuses = (200, *(status for status in FAILING if status < 500))
        for echo in (echo for status in statuses for echo in echoes(status)):
            bench.forget_quotas()
            bench.planned_logins.append(echo)
            shows_no_secret(failing(bench, placement), bench.secrets)
        assert bench.logins() == 0


def shows_no_secret(found: VendorError | str, secrets: Sequence[str]) -> None:
    texts = [found] if isinstance(found, str) else _texts(found)
    shown = [secret for secret in secrets for text in texts if secret in text]
    assert not shown


def _texts(error: VendorError) -> list[str]:
    return [
        str(error),
        repr(error),
        repr(vars(error)),
        "".join(traceback.format_exception(error)),
        repr(error.__cause__),
        repr(error.__context__),
    ]
