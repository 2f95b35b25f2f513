"""Whatever comes in whatever order: no interleaving loses, doubles or invents anything."""

import tempfile
from collections import Counter
from contextlib import nullcontext, suppress
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from export_pipeline.errors import OrderRefused, StoreUnavailable, VendorUnavailable
from export_pipeline.ledger import artifacts, registry
from export_pipeline.ledger.rows import ArtifactState, Order, OrderState, Scan
from export_pipeline.vendors.placement import Placement
from export_pipeline.workflow.lease import LEASE_SECONDS
from export_pipeline_tests.workflow.stepped import ENABLED, stepped
from export_pipeline_tests.workflow.test_collect import StoreThat, fail
from export_pipeline_tests.workflow.test_renew import DyingStore, Killed

FAMILIES = st.sampled_from(["accept", "refuse", "unavailable", "die after", "die before"])
AWAITED = (OrderState.SENDING, OrderState.WAITING, OrderState.QUEUED)


class Archiving(RuleBasedStateMachine):
    """Two scans, a vendor that does anything, processes that die anywhere, a stepped clock."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._context = stepped(Path(self._folder.name) / "home")
        self.home = self._context.__enter__()
        self.scans: list[Scan] = []
        self.at_vendor: dict[str, Order] = {}
        self.verified: dict[tuple[int, int], set[str]] = {}

    def teardown(self) -> None:
        try:
            self._settle_everything()
        finally:
            self._context.__exit__(None, None, None)
            self._folder.cleanup()

    @initialize()
    def register(self) -> None:
        doubtful = {name: True for name in ENABLED if name != "pdf_report"}
        for name, enabled in (("certain", ENABLED), ("doubtful", doubtful)):
            scan = self.home.register(name, results=["r1"], enabled=enabled)
            self.home.request(scan)
            self.scans.append(scan)

    @rule(answer=FAMILIES)
    def send(self, answer: str) -> None:
        """One export call, answered in one of the ways there are."""
        self.home.vendor.answers.append(lambda placement: self._answer(placement, answer))
        with suppress(ExceptionGroup) if answer.startswith("die") else nullcontext():
            self.home.send(seconds=1)
        self.home.vendor.answers.clear()

    def _answer(self, placement: Placement, answer: str) -> None:
        known = {"vendor": "copyleaks", "account": "default"}
        if answer == "die before":
            raise Killed
        if answer == "refuse" and "pdf_report.pdf" in placement.targets:
            refusal = OrderRefused("no PDF", **known)
            refusal.fields = ("pdf_report",)
            raise refusal
        if answer == "unavailable":
            raise VendorUnavailable("503", **known)
        self.at_vendor[placement.order.id] = placement.order
        if answer == "die after":
            raise Killed

    @rule(chosen=st.data(), how=st.sampled_from(["whole", "cut"]))
    def upload(self, chosen: st.DataObject, how: str) -> None:
        """An artifact arrives, late or early, if the receiver still takes it."""
        if self.at_vendor:
            order = self._pick(chosen)
            current = {one.id: one for one in self.home.orders(self._scan_of(order))}[order.id]
            names = self.home.names(order)
            if current.state != OrderState.CLOSED and names:
                name = chosen.draw(st.sampled_from(names))
                artifact = self.home.look(artifacts.find, order.id, name)
                path = self.home.home / "archive" / self.home.key(artifact)
                if artifact.state == ArtifactState.EXPECTED and not path.exists():
                    content = b"cut" if how == "cut" else None
                    self.home.put(artifact, content=content)

    @rule(chosen=st.data(), unhealthy=st.booleans())
    def complete(self, chosen: st.DataObject, unhealthy: bool) -> None:
        """The vendor says that an order ended: true or not, first or again."""
        if self.at_vendor:
            order = self._pick(chosen)
            self.home.complete(order, unhealthy=self.home.names(order) if unhealthy else ())

    @rule()
    def collect(self) -> None:
        self.home.collect()

    @rule()
    def collect_while_the_store_fails(self) -> None:
        with suppress(StoreUnavailable):
            self.home.collect(store=StoreThat(self.home, fail))

    @rule(changes=st.integers(1, 6))
    def reconcile_and_die(self, changes: int) -> None:
        with suppress(Killed):
            self.home.reconcile(store=DyingStore(self.home, changes))

    @rule()
    def reconcile(self) -> None:
        self.home.reconcile()

    @rule(seconds=st.sampled_from([10.0, LEASE_SECONDS, 600.0, 7_200.0]))
    def wait(self, seconds: float) -> None:
        self.home.now += seconds

    @invariant()
    def no_artifact_is_in_two_open_orders(self) -> None:
        for scan in self.scans:
            open_orders = [one for one in self.home.orders(scan) if one.state in AWAITED]
            held = Counter(
                (order.generation, name) for order in open_orders for name in self.home.names(order)
            )
            assert set(held.values()) <= {1}

    @invariant()
    def no_verified_artifact_is_expected_again_within_its_generation(self) -> None:
        for scan in self.scans:
            current = self.home.scan(scan)
            states = self.home.states(scan)
            now = {name for name, state in states.items() if state == "verified"}
            before = self.verified.setdefault((scan.id, current.generation), set())
            assert before <= now
            before |= now

    def _pick(self, chosen: st.DataObject) -> Order:
        return self.at_vendor[chosen.draw(st.sampled_from(sorted(self.at_vendor)))]

    def _scan_of(self, order: Order) -> Scan:
        return self.home.look(registry.by_id, order.scan_id)

    def _settle_everything(self) -> None:
        """From here on all goes well: then every scan ends settled, and the store holds it."""
        self.home.now += 10 * self.home.settings.order_deadline
        for _ in range(3 * self.home.settings.attempts):
            self.home.reconcile()
            self.home.send(seconds=60)
            for scan in self.scans:
                for order in self.home.orders(scan):
                    if order.state == OrderState.WAITING:
                        self._bring(order)
            self.home.reconcile()
            self.home.now += self.home.settings.order_patience
        for scan in self.scans:
            assert self.home.scan(scan).state in registry.SETTLED, self.home.history(scan)
            assert self.home.stored(scan) == self.home.recorded(scan)

    def _bring(self, order: Order) -> None:
        for name in self.home.names(order):
            artifact = self.home.look(artifacts.find, order.id, name)
            path = self.home.home / "archive" / self.home.key(artifact)
            if artifact.state == ArtifactState.EXPECTED and not path.exists():
                self.home.put(artifact)
        self.home.complete(order)


TestArchiving = Archiving.TestCase
TestArchiving.settings = settings(
    max_examples=12,
    stateful_step_count=25,
    suppress_health_check=list(HealthCheck),
)
