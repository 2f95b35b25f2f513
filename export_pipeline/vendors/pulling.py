"""Opening what an order made, for vendors that hand out links: failures become the vendor's."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from export_pipeline.errors import ResultLost, VendorError, VendorUnavailable
from export_pipeline.storage.http import Http
from export_pipeline.transfer.pull import FileChanged, LinkDead, Locate, Pulled, PullError, pull
from export_pipeline.vendors.http import Call


@asynccontextmanager
async def pulled(
    call: Call,
    http: Http,
    locate: Locate,
    *,
    size: int | None = None,
    sleep: Callable[[float], Awaitable[None]],
) -> AsyncIterator[Pulled]:
    """Pull the file of a vendor's link; see `transfer.pull`.

    Args:
        call: names the vendor, the account and the scan in every error.
        http: carries no credential of the vendor's.
        locate: asks the vendor for the link, with the credentials; its own errors pass as they are.
        size: of the file in bytes, where the vendor told it.
        sleep: waits before another try, in seconds.

    Raises:
        ResultLost: the links are dead, or the file is not the one that the vendor described.
        VendorUnavailable: the file's host gave no whole answer, time after time.
    """
    try:
        async with pull(http, locate, size=size, sleep=sleep) as found:
            yield found
    except PullError as error:
        failed = failure(call, error)
    else:
        return
    raise failed


def failure(call: Call, error: PullError) -> VendorError:
    """The vendor's error that a failed pull means."""
    is_lost = isinstance(error, LinkDead | FileChanged)
    kind = ResultLost if is_lost else VendorUnavailable
    return call.error(kind, f"its file: {error}; {call.what_to_do(kind)}")
