"""The messages of a project, one every so often since ever, and the CSV file of some of them.

The vendor documents neither columns nor dialect: these are UTF-8 and RFC 4180 with a header.
"""

import csv
import io
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from export_pipeline.sandbox.hookbridge.filters import INBOUND, Filters, shown

COLUMNS = (
    "message_id",
    "endpoint_id",
    "direction",
    "status",
    "attempt_count",
    "created_at",
    "response_status",
    "last_error",
)
ENDPOINTS = tuple(UUID(int=0x550E8400_E29B_41D4_A716_446655440000 + n) for n in range(3))
INBOUND_ENDPOINTS = tuple(UUID(int=0x01935ABC_DEF0_7123_8567_890ABCDEF000 + n) for n in range(2))
# Mostly delivered; each state is there once in ten.
STATES = ("succeeded",) * 6 + ("queued", "delivering", "pending_retry", "failed_permanent")
FAILING = ("pending_retry", "failed_permanent")
LAST_ERROR = 'upstream said: "not now",\r\ntrying again für später'


class Message(NamedTuple):
    """One message as its row."""

    number: int
    moment: float
    endpoint: UUID
    direction: str
    status: str

    @property
    def row(self) -> list[str]:
        """Its fields in the order of `COLUMNS`."""
        is_failing = self.status in FAILING
        return [
            str(uuid7(self.moment, f"message {self.direction} {self.number}")),
            str(self.endpoint),
            self.direction,
            self.status,
            str(3 if is_failing else 1),
            shown(datetime.fromtimestamp(self.moment, UTC)),
            "503" if is_failing else "200",
            LAST_ERROR if is_failing else "",
        ]


def messages(filters: Filters, every: float, *, end_included: bool) -> Iterator[Message]:
    """Those that the filters let through, one of them every so many seconds before filtering."""
    first, end = math.ceil(filters.start.timestamp() / every), filters.end.timestamp()
    endpoints = INBOUND_ENDPOINTS if filters.direction == INBOUND else ENDPOINTS
    number = first
    while (moment := number * every) < end or (end_included and moment == end):
        endpoint, status = endpoints[number % len(endpoints)], STATES[number % len(STATES)]
        wanted = (filters.endpoint or filters.inbound_endpoint or endpoint) == endpoint
        if wanted and filters.status in (None, status):
            yield Message(number, moment, endpoint, filters.direction, status)
        number += 1


def csv_file(rows: list[list[str]]) -> bytes:
    """The file with its header."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return file.getvalue().encode()


def uuid7(moment: float, name: str) -> UUID:
    """A UUIDv7 (RFC 9562) of that time, in Unix seconds, whose random part is the name's."""
    random = int.from_bytes(sha256(name.encode()).digest()[:10])
    fields = int(moment * 1000) << 80 | 7 << 76 | (random >> 64 & 0xFFF) << 64
    return UUID(int=fields | 0b10 << 62 | random & (1 << 62) - 1)
