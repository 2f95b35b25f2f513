"""How tasks end: asked after with the token that started each, told as completions."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus

from export_pipeline.errors import (
    ConfigError,
    ScanGone,
    VendorError,
)
from export_pipeline.ledger.rest import let_rest
from export_pipeline.ledger.rows import Order
from export_pipeline.vendors.completion import Completion
from export_pipeline.vendors.laserfiche import VENDOR
from export_pipeline.vendors.laserfiche.answers import Problem, Task, TaskStatus
from export_pipeline.vendors.laserfiche.client import TASKS_PER_CALL, LaserficheClient
from export_pipeline.vendors.laserfiche.keeping import Keeping
from export_pipeline.vendors.redaction import redact

PERMANENT = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
"""Statuses of a task's errors that another order of the same would meet again."""
LOST = (
    "the vendor no longer knows the export's task: it forgets one 15 minutes after its end, and may"
    " with the token that started it"
)


async def ask_after(
    client: LaserficheClient, keeping: Keeping, orders: Sequence[Order]
) -> dict[str, Completion]:
    """The completions of those orders whose tasks ended, by order id.

    Each question is about tasks of one token; all are asked at once, and held by the vendor. Where
    one has the account rest, what the others were answered stands: after that rest the vendor may
    know of it no more.

    Raises:
        VendorError: none could be asked after.
        ConfigError: the same, since the account does not see its repository.
    """
    kept = await keeping.tokens(orders)
    questions = list(_questions(orders, kept))
    answers = await asyncio.gather(
        *[_tasks(client, ids, token) for token, ids in questions], return_exceptions=True
    )
    errors = [one for one in answers if isinstance(one, BaseException)]
    found = {name: task for one in answers if isinstance(one, dict) for name, task in one.items()}
    ended = {order.id: found[order.vendor_order] for order in orders if order.vendor_order in found}
    links = {name: task.result.uri for name, task in ended.items() if task and task.result.uri}
    await keeping.keep_links(links)
    for error in errors:
        if not (found and isinstance(error, VendorError | ConfigError)):
            raise error
        await client.api.channel.ledger.apply(let_rest, VENDOR, client.api.account.name, error)
    told = {name: completion_of(task) for name, task in ended.items()}
    return {name: one for name, one in told.items() if one is not None}


def completion_of(task: Task | None) -> Completion | None:
    """The vendor's word on a task, None while it is still to end; `task` is None if unknown."""
    if task is None:
        return Completion(failure=LOST)
    if task.status == TaskStatus.COMPLETED:
        if task.result.uri:
            return Completion(is_ready=True)
        return Completion(failure="the export's task completed without a link")
    if task.status == TaskStatus.CANCELLED:
        return Completion(failure="somebody cancelled the export's task at the vendor")
    if task.status == TaskStatus.FAILED:
        return _failed(task.errors)
    return None


def _failed(errors: Sequence[Problem]) -> Completion:
    said = redact("; ".join(one.text for one in errors if one.text))
    is_final = any(one.status in PERMANENT for one in errors)
    return Completion(failure=said or "the vendor gave no reason", is_final=is_final)


def _questions(
    orders: Sequence[Order], kept: Mapping[str, str]
) -> Iterator[tuple[str | None, list[str]]]:
    of_token: dict[str | None, list[str]] = defaultdict(list)
    for order in orders:
        if order.vendor_order:
            of_token[kept.get(order.id)].append(order.vendor_order)
    for token, ids in of_token.items():
        for start in range(0, len(ids), TASKS_PER_CALL):
            yield token, ids[start : start + TASKS_PER_CALL]


async def _tasks(
    client: LaserficheClient, ids: Sequence[str], token: str | None
) -> dict[str, Task | None]:
    """Each task as the vendor tells of it, None for one that it does not know.

    Whether it leaves such a one out or refuses the whole question is not documented (FACTS 2.4):
    a question that is refused is asked again in halves, once the repository is known to be there.
    One wrong setting must not lose every open task.
    """
    try:
        return await _told(client, ids, token)
    except ScanGone:
        await client.require_repository()
    return await _in_halves(client, ids, token)


async def _told(
    client: LaserficheClient, ids: Sequence[str], token: str | None
) -> dict[str, Task | None]:
    told = {task.id: task for task in await client.tasks(ids, token)}
    return {one: told.get(one) for one in ids}


async def _in_halves(
    client: LaserficheClient, ids: Sequence[str], token: str | None
) -> dict[str, Task | None]:
    """Of tasks of which the vendor does not know one or more."""
    if len(ids) == 1:
        return {ids[0]: None}

    async def half(some: Sequence[str]) -> dict[str, Task | None]:
        try:
            return await _told(client, some, token)
        except ScanGone:
            return await _in_halves(client, some, token)

    middle = len(ids) // 2
    first, second = await asyncio.gather(half(ids[:middle]), half(ids[middle:]))
    return first | second
