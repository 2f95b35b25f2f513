"""The calls of one account whose API takes a key with each of them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, SecretStr

from export_pipeline.errors import (
    DuplicateOrder,
    OrderRefused,
    ScanGone,
    TurnMissed,
    VendorError,
)
from export_pipeline.ledger.quotas import Quota
from export_pipeline.vendors.channel import Channel
from export_pipeline.vendors.http import ANSWER_BYTES, Answer, Call
from export_pipeline.vendors.payloads import read_answer

Payload = TypeVar("Payload", bound=BaseModel)
Claimed = Callable[[], bool] | None
"""Whether a turn holds that the caller claimed; None: the call waits for a turn of its own."""


class Refusal(NamedTuple):
    """What an answer says that is no success.

    Args:
        kind: what it means.
        said: the vendor's own words.
        fields: of the request, which it names.
    """

    kind: type[VendorError]
    said: str
    fields: tuple[str, ...] = ()


class KeyedClient(ABC):
    """Sends an account's calls and reads their answers; every error keeps the request id.

    Args:
        key: goes with each call.
        quotas: what each call uses.
        channel: how the vendor is reached.
        address: the variable that says where, for the errors.
    """

    def __init__(
        self, key: SecretStr, quotas: Sequence[Quota], channel: Channel, *, address: str
    ) -> None:
        self._key = key.get_secret_value()
        self._quotas = quotas
        self._channel = channel
        self._address = address

    @abstractmethod
    def _refusal(self, answer: Answer) -> Refusal:
        """What the vendor means by an answer that is no success."""

    async def _send(
        self,
        call: Call,
        method: str,
        url: str,
        claimed: Claimed = None,
        *,
        body: bytes | None = None,
        hold_seconds: float = 0.0,
        answer_bytes: int = ANSWER_BYTES,
    ) -> Answer:
        if claimed is None:
            await self._channel.turn(call, self._quotas)
        elif not claimed():
            raise TurnMissed(f"{call.doing} was not sent: the turn claimed for it had passed")
        return await self._channel.send(
            call,
            method,
            url,
            bearer=self._key,
            body=body,
            hold_seconds=hold_seconds,
            answer_bytes=answer_bytes,
        )

    def _success(self, call: Call, answer: Answer, missing: type[VendorError] = ScanGone) -> Answer:
        if not answer.is_success:
            raise self._failure(call, answer, missing)
        return answer

    def _failure(self, call: Call, answer: Answer, missing: type[VendorError]) -> VendorError:
        kind, said, fields = self._refusal(answer)
        if kind is DuplicateOrder:
            kind = OrderRefused  # nobody but the vendor chooses ids here
        kind = missing if kind is ScanGone else kind
        error = self._channel.failure(call, answer, said, kind)
        if isinstance(error, OrderRefused):
            error.fields = fields
        return error

    def _read(self, call: Call, answer: Answer, model: type[Payload]) -> Payload:
        return read_answer(call, answer, model.model_validate_json, self._address)
