"""Sandboxes that a test starts as it needs them, each with a client of one of its vendors."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any, Protocol, TypeVar

from export_pipeline.sandbox import Clock, Sandbox, SandboxOptions


class Client(Protocol):
    def close(self) -> None: ...


AnyClient = TypeVar("AnyClient", bound=Client)


@contextmanager
def starting(
    client: Callable[[Sandbox], AnyClient], options: Callable[..., SandboxOptions]
) -> Iterator[Callable[..., AnyClient]]:
    """Starts a sandbox with the options given, and on a clock if one is; all are stopped after."""
    with ExitStack() as stack:

        def start(clock: Clock | None = None, **chosen: Any) -> AnyClient:
            sandbox = stack.enter_context(Sandbox(options(**chosen), clock))
            return stack.enter_context(closing(client(sandbox)))

        yield start
