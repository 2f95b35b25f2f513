"""The suite of vendors that are asked after their orders, and whose files are pulled."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Protocol

import pytest

from export_pipeline.errors import (
    AuthenticationFailed,
    ResultLost,
    VendorError,
    VendorUnavailable,
)
from export_pipeline.ledger.rows import Artifact, Order
from export_pipeline.vendors.artifacts import Availability
from export_pipeline.vendors.completion import Completion
from export_pipeline.vendors.placement import Placement, Receipt
from export_pipeline.vendors.vendor import Opened
from export_pipeline_tests.vendors.conformance import (
    UNANSWERED,
    VendorBench,
    place,
    shows_no_secret,
)
from export_pipeline_tests.vendors.rows import artifact
from export_pipeline_tests.vendors.transport import answer, breaking, echoes


class PulledBench(VendorBench, Protocol):
    """A vendor whose clock is at the test's command."""

    def end(self) -> None:
        """Let the vendor end what it was asked for."""

    def expire(self) -> None:
        """Let what it made expire."""

    def failing(self) -> Placement:
        """An order that the vendor takes and cannot bring."""

    def unending(self) -> Placement:
        """An order that the vendor takes and never ends."""

    def break_file(self) -> None:
        """Let the next connection to a file break half way."""

    def kill_links(self) -> None:
        """Let every link given out so far die."""

    def whole_file(self, order: Order, file: Artifact) -> bytes:
        """The file as the vendor has it."""


@dataclass(frozen=True)
class Read:
    """An artifact as it was pulled."""

    opened: Opened
    body: bytes


def placed(bench: PulledBench, placement: Placement) -> Order:
    """The order, once the vendor has taken it."""
    (receipt,) = place(bench, placement)
    return replace(placement.order, vendor_order=receipt.vendor_order)


def asked(bench: PulledBench, *orders: Order) -> Mapping[str, Completion]:
    async def scenario() -> Mapping[str, Completion]:
        try:
            return await bench.vendor.ask(orders[0].account, orders)
        finally:
            await bench.close()

    return asyncio.run(scenario())


def pull(bench: PulledBench, order: Order, file: Artifact) -> Read:
    async def scenario() -> Read:
        try:
            async with bench.vendor.open(order, file) as opened:
                return Read(opened, b"".join([chunk async for chunk in opened.chunks]))
        finally:
            await bench.close()

    return asyncio.run(scenario())


def artifacts(
    bench: PulledBench, placement: Placement, receipt: Receipt | None = None
) -> list[Artifact]:
    """What the order brings, as the ledger has it before: what was told, else what was planned."""
    told = (receipt and receipt.files) or bench.vendor.plan(placement.scan)
    return [
        artifact(one.kind, one.name, one.vendor_name)
        for one in told
        if one.availability == Availability.EXPECTED
    ]


def ready(bench: PulledBench) -> tuple[Order, Artifact]:
    """An order that ended, and the first of its artifacts."""
    placement = bench.placement()
    (receipt,) = place(bench, placement)
    order = replace(placement.order, vendor_order=receipt.vendor_order)
    bench.end()
    assert asked(bench, order)[order.id].is_ready
    return order, artifacts(bench, placement, receipt)[0]


class Pulled:
    def test_an_order_is_ready_once_the_vendor_ended_it_however_often_it_is_asked(
        self, bench: PulledBench
    ) -> None:
        order = placed(bench, bench.placement())
        assert asked(bench, order) == {}
        bench.end()
        assert asked(bench, order) == asked(bench, order) == {order.id: Completion(is_ready=True)}

    def test_many_orders_are_asked_after_at_once(self, bench: PulledBench) -> None:
        ended = placed(bench, bench.placement())
        stuck = placed(bench, bench.unending())
        bench.end()
        orders = [replace(ended, id=f"order-{number}") for number in range(20)]
        assert set(asked(bench, stuck, *orders)) == {order.id for order in orders}

    def test_an_order_that_never_ends_has_no_completion(self, bench: PulledBench) -> None:
        order = placed(bench, bench.unending())
        bench.end()
        assert asked(bench, order) == {}

    def test_an_order_that_the_vendor_fails_ends_with_its_word(self, bench: PulledBench) -> None:
        order = placed(bench, bench.failing())
        bench.end()
        completion = asked(bench, order)[order.id]
        assert not completion.is_ready
        assert completion.failure

    def test_an_order_that_expired_before_it_was_asked_after_ends_and_may_be_placed_again(
        self, bench: PulledBench
    ) -> None:
        order = placed(bench, bench.placement())
        bench.end()
        bench.expire()
        completion = asked(bench, order)[order.id]
        assert completion.failure
        assert not completion.is_final

    def test_a_file_comes_whole_and_opens_as_its_kind(self, bench: PulledBench) -> None:
        order, file = ready(bench)
        read = pull(bench, order, file)
        assert read.body == bench.whole_file(order, file)
        (kind,) = [one for one in bench.vendor.kinds if one.name == file.kind]
        assert kind.opener(BytesIO(read.body)) is not None

    def test_a_file_whose_connection_breaks_is_resumed(self, bench: PulledBench) -> None:
        order, file = ready(bench)
        bench.break_file()
        assert pull(bench, order, file).body == bench.whole_file(order, file)

    def test_a_result_that_expired_is_lost_and_not_gone(self, bench: PulledBench) -> None:
        order, file = ready(bench)
        bench.expire()
        with pytest.raises(ResultLost):
            pull(bench, order, file)


class LinksOnDemand:
    """The vendor gives out a link to a file as often as it is asked for one."""

    def test_a_link_that_died_is_asked_for_anew(self, bench: PulledBench) -> None:
        order, file = ready(bench)
        bench.kill_links()
        assert pull(bench, order, file).body == bench.whole_file(order, file)

    @pytest.mark.parametrize("status", [500, 502, 503])
    def test_a_vendor_that_is_away_loses_nothing(self, bench: PulledBench, status: int) -> None:
        order, file = ready(bench)
        bench.planned.append(answer(status))
        with pytest.raises(VendorUnavailable):
            pull(bench, order, file)

    def test_refused_credentials_are_told_when_asking_and_when_pulling(
        self, bench: PulledBench
    ) -> None:
        order, file = ready(bench)
        for work in (lambda: asked(bench, order), lambda: pull(bench, order, file)):
            bench.planned.extend([answer(401)] * 2)
            with pytest.raises(AuthenticationFailed):
                work()
            bench.planned.clear()

    def test_no_secret_is_in_any_error_or_log_of_asking_and_pulling(
        self, bench: PulledBench, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        order, file = ready(bench)
        plans = [
            *(echo for status in (200, 400, 403, 404, 409, 410, 500) for echo in echoes(status)),
            *(breaking(kind, " ".join(bench.secrets)) for kind in UNANSWERED[1:]),
        ]
        for plan in plans:
            bench.planned.append(plan)
            with pytest.raises(VendorError) as caught:
                pull(bench, order, file)
            bench.planned.clear()
            shows_no_secret(caught.value, bench.secrets)
        shows_no_secret(caplog.text, bench.secrets)
