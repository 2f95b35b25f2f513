"""A vendor's word that an order ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Delivery:
    """The vendor's word on one artifact of an order; the store's word counts, not this one."""

    name: str
    healthy: bool
    status: int | None


@dataclass(frozen=True)
class Completion:
    """The vendor's word that an order ended.

    Args:
        deliveries: its word on each artifact that it pushed.
        unmatched: tasks in the webhook that name no artifact of the order.
        is_ready: whether its artifacts wait at the vendor, to be pulled with `Vendor.open`.
        staged: artifact name -> the store's key below `.incoming/` to which the vendor wrote it.
        failure: why the vendor could not bring it, in its own words; "" if it did.
        is_final: whether another order of the same would fail in the same way.
        vendor_order: the vendor's own id of the order, where the word names it: it may come before
            the answer to the order, or in place of one that got lost.
    """

    deliveries: tuple[Delivery, ...] = ()
    unmatched: int = 0
    is_ready: bool = False
    staged: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""
    is_final: bool = False
    vendor_order: str | None = None
