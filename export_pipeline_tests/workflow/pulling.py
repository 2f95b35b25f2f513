"""A vendor that is asked and pulled: its answers and its files are what the test says."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from export_pipeline.errors import VendorError
from export_pipeline.ledger import artifacts
from export_pipeline.ledger.rows import Artifact, Order
from export_pipeline.vendors.completion import Completion
from export_pipeline.vendors.placement import Placement, Receipt
from export_pipeline.vendors.vendor import Asking, Opened
from export_pipeline.workflow.poll import poll
from export_pipeline_tests.workflow.stepped import ScriptedCopyleaks, Stepped, content_of

READY = Completion(is_ready=True)
FIRST_SECONDS = 5.0
LONGEST_SECONDS = 60.0


def fault(kind: type[VendorError], text: str = "so the vendor says") -> VendorError:
    return kind(text, vendor="copyleaks", account="default", scan="essay")


class ScriptedPuller(ScriptedCopyleaks):
    """Nothing is ended before the test says so.

    `ended` is what it answers by order id, `questions` who was asked after; `pulls` are errors of
    the next pulls, or what a test does while one is under way.
    """

    pushes = False
    asking: Asking | None = Asking(10, FIRST_SECONDS, LONGEST_SECONDS)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.ended: dict[str, Completion | VendorError] = {}
        self.questions: list[list[str]] = []
        self.pulls: deque[VendorError | Callable[[], None] | None] = deque()
        self.pulled: list[str] = []
        self.receipt: Callable[[Placement], Receipt] = lambda _: Receipt()

    async def place(self, placement: Placement) -> Receipt:
        await super().place(placement)
        return self.receipt(placement)

    async def ask(self, account: str, orders: Sequence[Order]) -> Mapping[str, Completion]:
        self.questions.append([order.id for order in orders])
        told = {order.id: self.ended[order.id] for order in orders if order.id in self.ended}
        for answer in told.values():
            if isinstance(answer, VendorError):
                raise answer
        return {name: word for name, word in told.items() if isinstance(word, Completion)}

    @asynccontextmanager
    async def open(self, order: Order, artifact: Artifact) -> AsyncIterator[Opened]:  # type: ignore[override]
        happens = self.pulls.popleft() if self.pulls else None
        if isinstance(happens, VendorError):
            raise happens
        self.pulled.append(artifact.name)

        async def chunks() -> AsyncIterator[bytes]:
            data = content_of(artifact)
            yield data[:7]
            if happens is not None:
                happens()
            yield data[7:]

        yield Opened(chunks(), f"their {artifact.name}", {"pages": 3})


class Pulled(Stepped):
    """A home of that vendor."""

    make_vendor = ScriptedPuller
    vendor: ScriptedPuller

    def poll(self, seconds: float = 60.0) -> int:
        return self.run(lambda pipeline: poll(pipeline, seconds=seconds))

    def end(self, order: Order, completion: Completion | VendorError = READY) -> None:
        self.vendor.ended[order.id] = completion

    def files(self, order: Order) -> list[str]:
        return [one.name for one in self.look(artifacts.of_order, order.id)]
