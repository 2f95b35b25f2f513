"""What every vendor must do, proven against its sandbox over real HTTP.

A vendor's tests subclass `VendorConformance` and give a fixture `bench`; beside it those of the
suites in `ids`, `logins` and `pulled` that fit how the vendor works.
"""

import asyncio
import logging
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import httpx
import pytest

from export_pipeline.errors import (
    AuthenticationFailed,
    OrderRefused,
    RateLimited,
    ScanGone,
    TurnMissed,
    VendorError,
    VendorUnavailable,
)
from export_pipeline.vendors.placement import Placement, Receipt
from export_pipeline.vendors.vendor import Vendor
from export_pipeline_tests.vendors.transport import Planned, answer, breaking, echoes

UNANSWERED = (httpx.ConnectError, httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError)
FAILING = (302, 400, 401, 403, 404, 408, 409, 410, 422, 429, 500, 502, 503)


class VendorBench(Protocol):
    """A vendor connected to its sandbox.

    `planned` are answers to calls, given in place of the sandbox's; `scans` are two ids of scans
    that can be ordered; `secrets` is everything that no text may show, tokens given out so far
    included.
    """

    planned: deque[Planned]
    scans: Sequence[str]

    @property
    def vendor(self) -> Vendor: ...
    @property
    def secrets(self) -> Sequence[str]: ...
    def placement(self, scan_id: str = ..., *, at_vendor: bool = True) -> Placement:
        """The order of a scan, the first of `scans` if none is named."""

    def lacking(self) -> Placement:
        """The order of a scan that the vendor does not have."""

    def arrived(self) -> list[tuple[str, str]]:
        """Scan and order, as the vendor names it, of each order that it accepted."""

    async def close(self) -> None: ...


def place(bench: VendorBench, *placements: Placement) -> list[Receipt]:
    async def scenario() -> list[Receipt]:
        try:
            return [await bench.vendor.place(placement) for placement in placements]
        finally:
            await bench.close()

    return asyncio.run(scenario())


def failing(bench: VendorBench, placement: Placement, *planned: Planned) -> VendorError:
    """The error of an order whose calls, after any login, are answered as planned."""
    bench.planned.extend(planned)
    with pytest.raises(VendorError) as caught:
        place(bench, placement)
    bench.planned.clear()
    return caught.value


class VendorConformance:
    """What a vendor's own test class says of its vendor.

    `forbidden` is what a 403 means: most vendors give each account the right to all or none;
    `unpaid` is what a 402 without a word means; `names_requests` is whether its documents have it
    tell an id of each request.
    """

    forbidden: type[VendorError] = AuthenticationFailed
    unpaid: type[VendorError] = OrderRefused
    names_requests = True

    def test_an_order_is_accepted_and_its_request_id_kept(self, bench: VendorBench) -> None:
        placement = bench.placement()
        (receipt,) = place(bench, placement)
        named = receipt.vendor_order or placement.order.id
        assert bench.arrived() == [(placement.scan.scan, named)]
        assert bool(receipt.request_id) == self.names_requests

    def test_that_an_order_leaves_is_noted_once_before_it_is_at_the_vendor(
        self, bench: VendorBench
    ) -> None:
        noted: list[list[tuple[str, str]]] = []

        async def leaves() -> None:
            noted.append(bench.arrived())

        place(bench, replace(bench.placement(), leaves=leaves))
        assert noted == [[]]
        assert len(bench.arrived()) == 1

    def test_an_order_that_another_process_took_over_is_not_sent(self, bench: VendorBench) -> None:
        async def is_taken() -> None:
            raise TurnMissed("another process took the order over")

        with pytest.raises(TurnMissed):
            place(bench, replace(bench.placement(), leaves=is_taken))
        assert bench.arrived() == []

    def test_the_quotas_of_an_account_without_credentials_are_told(
        self, bench: VendorBench
    ) -> None:
        """`status` shows the queue of an account whose credentials are not set here."""
        assert bench.vendor.quotas("no-such-account") == bench.vendor.quotas("default")

    def test_a_scan_that_the_vendor_lacks_is_gone_for_good(self, bench: VendorBench) -> None:
        placement = bench.lacking()
        error = failing(bench, placement)
        assert isinstance(error, ScanGone)
        assert not error.transient
        assert placement.scan.scan in str(error)

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, OrderRefused),
            (402, "unpaid"),
            (403, "forbidden"),
            (404, ScanGone),
            (408, VendorUnavailable),
            (410, ScanGone),
            (422, OrderRefused),
            (429, RateLimited),
            (500, VendorUnavailable),
            (502, VendorUnavailable),
            (503, VendorUnavailable),
        ],
    )
    def test_a_status_is_classified(
        self, bench: VendorBench, status: int, kind: type[VendorError] | str
    ) -> None:
        placement = bench.placement()
        place(bench, placement)
        error = failing(bench, placement, answer(status, headers={"X-Request-Id": "req-7"}))
        assert type(error) is (getattr(self, kind) if isinstance(kind, str) else kind)
        told = (error.status, error.scan, error.request_id)
        assert told == (status, placement.scan.scan, "req-7")

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


def shows_no_secret(found: Exception | str, secrets: Sequence[str]) -> None:
    texts = [found] if isinstance(found, str) else _texts(found)
    shown = [secret for secret in secrets for text in texts if secret in text]
    assert not shown


def _texts(error: Exception) -> list[str]:
    return [
        str(error),
        repr(error),
        repr(vars(error)),
        "".join(traceback.format_exception(error)),
        repr(error.__cause__),
        repr(error.__context__),
    ]
