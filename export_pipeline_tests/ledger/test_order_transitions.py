"""Orders against a model of them, through whatever sequence of calls hypothesis finds."""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from export_pipeline.errors import LedgerError
from export_pipeline.ledger import artifacts, generations, orders, placed, registry
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.rows import OrderState, Outcome, QueueClass
from export_pipeline.scans import ScanKey

Q, S, W, D, C = OrderState
VENDOR = "copyleaks"
NAMES = ("overview", "pdf_report", "results/1")
LEASE = 60.0
PATIENCE = 300.0
pick = st.randoms(use_true_random=False)


@dataclass
class Model:
    """What an order should be."""

    names: tuple[str, ...]
    part: int
    attempt: int
    state: OrderState = Q
    not_before: float = 0.0
    lease_until: float | None = None
    deadline: float | None = None
    tries: int = 0
    sends: int = 0
    word: dict[str, int] | None = None
    outcome: str = ""

    def is_free(self, now: float) -> bool:
        return self.lease_until is None or self.lease_until <= now


class OrderMachine(RuleBasedStateMachine):
    """One scan with three artifacts, in one long transaction whose clock is stepped."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self._transaction = ledger.write()
        self.tx: Tx = self._transaction.__enter__()
        self.scan, _ = registry.register(self.tx, ScanKey(VENDOR, "default", "scan"), source="test")
        generations.open_next(self.tx, self.scan, wants_bag=True)
        common = {"scan_id": self.scan.id, "generation": 1, "kind": "k", "vendor_name": ""}
        common |= {"availability": "present", "state": "expected", "reason": ""}
        artifacts.insert(self.tx, [{**common, "name": name} for name in NAMES])
        self.known: dict[str, Model] = {}

    def teardown(self) -> None:
        # Undone, so that each run of the machine finds the same ledger.
        undo = KeyboardInterrupt()
        self._transaction.__exit__(type(undo), undo, None)

    def some(self, random) -> tuple[str, Model]:
        return random.choice(list(self.known.items()))

    @rule(names=st.sets(st.sampled_from(NAMES), min_size=1), attempt=st.integers(1, 2))
    def queue(self, names: set[str], attempt: int) -> None:
        held = {n for one in self.known.values() if one.state != C for n in one.names}
        part = sum(one.attempt == attempt for one in self.known.values())
        savepoint = self.tx.connection.begin_nested()
        try:
            order_id = orders.insert(
                self.tx, self.scan, generation=1, attempt=attempt, queue_class=QueueClass.HAND
            )
            artifacts.assign(self.tx, self.scan.id, 1, sorted(names), order_id)
        except LedgerError:
            savepoint.rollback()
            assert names & held
            return
        savepoint.commit()
        assert not names & held
        assert order_id == orders.derive_id(self.scan.key, 1, part, attempt)
        assert order_id not in self.known
        self.known[order_id] = Model(tuple(names), part, attempt, not_before=self.tx.now)

    @precondition(lambda self: self.known)
    @rule(random=pick)
    def send(self, random) -> None:
        order_id, model = self.some(random)
        order = orders.get(self.tx, order_id)
        assert order is not None
        deadline = self.tx.now + 7200
        tries = orders.sending(self.tx, order, "me", seconds=LEASE, deadline=deadline)
        assert tries == (model.tries + 1 if model.state == Q else None)
        if model.state == Q:
            model.tries += 1
            model.state, model.lease_until = S, self.tx.now + LEASE
            model.deadline = model.deadline or deadline

    @precondition(lambda self: self.known)
    @rule(random=pick, turns_ago=st.integers(0, 2))
    def leave(self, random, turns_ago: int) -> None:
        order_id, model = self.some(random)
        may_send = model.state == S and turns_ago == 0
        assert orders.leaves(self.tx, order_id, model.tries - turns_ago) == may_send
        model.sends += may_send

    @precondition(lambda self: self.known)
    @rule(random=pick)
    def accept(self, random) -> None:
        order_id, model = self.some(random)
        after = self.tx.now + PATIENCE
        orders.accepted(
            self.tx, order_id, request_id="request", vendor_order=None, look_after=after
        )
        if model.state in (S, Q):
            model.state, model.not_before, model.lease_until = W, after, None

    @precondition(lambda self: self.known)
    @rule(random=pick)
    def refuse_for_now(self, random) -> None:
        order_id, model = self.some(random)
        later = self.tx.now + 30
        orders.back_to_queue(self.tx, order_id, not_before=later, reason="HTTP 503")
        if model.state == S:
            model.state, model.not_before, model.lease_until = Q, later, None

    @precondition(lambda self: self.known)
    @rule(random=pick, number=st.integers())
    def complete(self, random, number: int) -> None:
        order_id, model = self.some(random)
        news = model.state in (Q, S, W) or (model.state == D and model.word is None)
        assert orders.completed(self.tx, order_id, {"number": number}) == news
        if news:
            model.lease_until = model.lease_until if model.state == D else None
            model.state, model.word = D, {"number": number}

    @rule()
    def find_late(self) -> None:
        late = {
            order_id
            for order_id, one in self.known.items()
            if one.state == W and one.not_before <= self.tx.now
        }
        assert {order.id for order in placed.late(self.tx, VENDOR, 10)} == late
        for order_id in late:
            self.known[order_id].state = D

    @rule()
    def find_abandoned(self) -> None:
        dead = {
            order_id
            for order_id, one in self.known.items()
            if one.state == S and one.is_free(self.tx.now)
        }
        assert {order.id for order in placed.abandoned(self.tx, VENDOR)} == dead
        for order_id in dead:
            model = self.known[order_id]
            model.state, model.not_before, model.lease_until = Q, self.tx.now, None

    @rule(limit=st.integers(1, 3))
    def take(self, limit: int) -> None:
        free = {i for i, one in self.known.items() if one.state == D and one.is_free(self.tx.now)}
        assert placed.has_completed(self.tx, VENDOR) == bool(free)
        taken = placed.take_completed(self.tx, VENDOR, "me", limit=limit, seconds=LEASE)
        assert {order.id for order in taken} <= free
        assert len(taken) == min(limit, len(free))
        for order in taken:
            self.known[order.id].lease_until = self.tx.now + LEASE

    @precondition(lambda self: self.known)
    @rule(random=pick)
    def wait_on(self, random) -> None:
        order_id, model = self.some(random)
        after = self.tx.now + PATIENCE
        placed.wait_on(self.tx, order_id, look_after=after)
        if model.state == D:
            model.state, model.not_before, model.lease_until = W, after, None

    @precondition(lambda self: self.known)
    @rule(random=pick, outcome=st.sampled_from(Outcome))
    def close(self, random, outcome: Outcome) -> None:
        order_id, model = self.some(random)
        assert orders.close(self.tx, order_id, outcome) == (model.state != C)
        if model.state != C:
            model.state, model.outcome = C, outcome

    @rule(seconds=st.sampled_from([1.0, LEASE, PATIENCE]))
    def step(self, seconds: float) -> None:
        self.tx = Tx(self.tx.connection, self.tx.now + seconds)

    @invariant()
    def the_ledger_says_what_the_model_says(self) -> None:
        found = orders.of_scan(self.tx, self.scan.id)
        assert {order.id for order in found} == set(self.known)
        for order in found:
            model = self.known[order.id]
            assert (order.state, order.outcome) == (model.state, model.outcome)
            assert (order.part, order.attempt) == (model.part, model.attempt)
            assert (order.sends, order.deadline) == (model.sends, model.deadline)
            assert order.completion == model.word
            assert (order.closed_at is None) == (model.state != C)

    @invariant()
    def no_two_open_orders_hold_one_artifact(self) -> None:
        is_open = [order.id for order in orders.of_scan(self.tx, self.scan.id) if order.state != C]
        held = [name for order_id in is_open for name in self.known[order_id].names]
        assert len(held) == len(set(held))


def test_every_sequence_of_transitions_does_what_the_model_says(ledger: Ledger) -> None:
    run(
        lambda: OrderMachine(ledger),
        settings=settings(max_examples=40, stateful_step_count=40),
    )
