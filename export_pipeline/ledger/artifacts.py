"""Artifacts of a generation: what is expected, what arrived, how each was settled."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from export_pipeline.errors import LedgerError
from export_pipeline.ledger.database import Tx, in_chunks
from export_pipeline.ledger.prepared import prepared
from export_pipeline.ledger.reading import reader
from export_pipeline.ledger.rows import Artifact, ArtifactState, OrderState
from export_pipeline.ledger.schema import artifacts, orders


def insert(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add artifacts: scan_id, generation, name, kind, vendor_name, availability, state, reason."""
    if rows:
        tx.run(sa.insert(artifacts), [dict(row) for row in rows])


def of_generation(tx: Tx, scan_id: int, generation: int) -> list[Artifact]:
    """All artifacts of a generation, in order of name."""
    return [to_artifact(row) for row in tx.all(_of_generation(scan_id, generation))]


@prepared
def _of_generation(scan_id: int, generation: int) -> sa.Select[Any]:
    query = sa.select(artifacts).where(_in_generation(scan_id, generation))
    return query.order_by(artifacts.c.name)


def of_order(tx: Tx, order_id: str) -> list[Artifact]:
    """The artifacts that this order is to bring, in order of name."""
    return [to_artifact(row) for row in tx.all(_of_order(order_id))]


@prepared
def _of_order(order_id: str) -> sa.Select[Any]:
    query = sa.select(artifacts).where(artifacts.c.order_id == order_id)
    return query.order_by(artifacts.c.name)


def find(tx: Tx, order_id: str, name: str) -> Artifact | None:
    """One artifact of an order."""
    row = tx.one_or_none(
        sa.select(artifacts).where(artifacts.c.order_id == order_id, artifacts.c.name == name)
    )
    return None if row is None else to_artifact(row)


def assign(tx: Tx, scan_id: int, generation: int, names: Sequence[str], order_id: str) -> None:
    """Let this order bring these artifacts.

    Raises:
        LedgerError: one of them is settled, unknown, or still to come from another open order:
            two open orders for one artifact must never be (DESIGN.md part 4.3).
    """
    assigned = sum(
        tx.run(_assign(scan_id, generation, some, order_id)) for some in in_chunks(names)
    )
    if assigned != len(set(names)):
        raise LedgerError(
            f"order {order_id} of scan row {scan_id}, generation {generation}, names"
            f" {len(set(names)) - assigned} artifacts that are settled, unknown, or still to come"
            " from another open order: close that order first"
        )


@prepared
def _assign(scan_id: int, generation: int, names: Sequence[str], order_id: str) -> sa.Update:
    is_open = sa.exists().where(
        orders.c.id == artifacts.c.order_id, orders.c.state != OrderState.CLOSED
    )
    assignable = sa.and_(
        _in_generation(scan_id, generation),
        artifacts.c.name.in_(names),
        artifacts.c.state == ArtifactState.EXPECTED,
        sa.or_(
            artifacts.c.order_id.is_(None),
            artifacts.c.order_id == order_id,
            ~is_open,
        ),
    )
    return sa.update(artifacts).where(assignable).values(order_id=order_id)


def named(tx: Tx, artifact: Artifact, vendor_name: str, details: Mapping[str, Any]) -> None:
    """Note the vendor's own name of an artifact, and what else it says of it."""
    known = {**(artifact.details or {}), **({"vendor": dict(details)} if details else {})}
    _settle(tx, artifact, vendor_name=vendor_name, details=known or None)


def delivered(tx: Tx, order_id: str, name: str, *, size: int, sha256: str) -> bool:
    """Note what the receiver took in, for the verification to compare with.

    False if the order does not expect it any more.
    """
    facts = {"size": size, "sha256": sha256, "delivered_at": tx.now, "reason": ""}
    return tx.run(_expected(order_id, name, **facts)) == 1


@prepared
def _expected(order_id: str, name: str, **facts: Any) -> sa.Update:
    expected = sa.update(artifacts).where(
        artifacts.c.order_id == order_id,
        artifacts.c.name == name,
        artifacts.c.state == ArtifactState.EXPECTED,
    )
    return expected.values(**facts)


def refused(tx: Tx, order_id: str, name: str, reason: str) -> None:
    """Note why our own store did not take what the vendor brought; it stays expected."""
    tx.run(_expected(order_id, name, reason=reason))


def verified(tx: Tx, artifact: Artifact, **facts: Any) -> None:
    """Settle as verified; `facts` are size, sha256, content_type, checksum, details."""
    _settle(tx, artifact, state=ArtifactState.VERIFIED, verified_at=tx.now, reason="", **facts)


def absent(tx: Tx, artifact: Artifact, reason: str) -> None:
    """Settle as something the scan does not have."""
    _settle(tx, artifact, state=ArtifactState.ABSENT, reason=reason, size=0, order_id=None)


def missing(tx: Tx, artifact: Artifact, reason: str) -> None:
    """Settle as something the scan should have and that cannot be had."""
    _settle(tx, artifact, state=ArtifactState.MISSING, reason=reason)


def broken(tx: Tx, artifact: Artifact, reason: str) -> None:
    """Note that the store has bytes that are not what they should be."""
    _settle(tx, artifact, state=ArtifactState.BROKEN, reason=reason)


def expect_again(tx: Tx, lost: Sequence[Artifact]) -> None:
    """Expect artifacts that are not in the store once more, for an order about to be queued."""
    for artifact in lost:
        _settle(tx, artifact, **_fresh())


def withdraw(tx: Tx, outdated: Sequence[Artifact]) -> None:
    """Take out placeholders of artifacts whose names are known now."""
    for artifact in outdated:
        tx.run(_withdraw(artifact.scan_id, artifact.generation, artifact.name))


@prepared
def _withdraw(scan_id: int, generation: int, name: str) -> sa.Delete:
    return sa.delete(artifacts).where(_is(scan_id, generation, name))


def carry_over(tx: Tx, artifact: Artifact, generation: int) -> None:
    """Give a newer generation what this one settled; broken and missing are expected again."""
    values = {field.name: getattr(artifact, field.name) for field in fields(Artifact)}
    if artifact.state in (ArtifactState.BROKEN, ArtifactState.MISSING):
        values |= _fresh()
    tx.run(sa.insert(artifacts).values(**{**values, "generation": generation}))


def _fresh() -> dict[str, Any]:
    """What an artifact is before anything came; facts of lost bytes would refuse better ones."""
    unknown = dict.fromkeys(("order_id", "size", "sha256", "content_type", "checksum", "details"))
    times = dict.fromkeys(("delivered_at", "verified_at"))
    return {**unknown, **times, "state": ArtifactState.EXPECTED, "reason": ""}


def _settle(tx: Tx, artifact: Artifact, **values: Any) -> None:
    tx.run(_settled(artifact.scan_id, artifact.generation, artifact.name, **values))


@prepared
def _settled(scan_id: int, generation: int, name: str, **values: Any) -> sa.Update:
    return sa.update(artifacts).where(_is(scan_id, generation, name)).values(**values)


def _in_generation(scan_id: int, generation: int) -> sa.ColumnElement[bool]:
    return sa.and_(artifacts.c.scan_id == scan_id, artifacts.c.generation == generation)


def _is(scan_id: int, generation: int, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(_in_generation(scan_id, generation), artifacts.c.name == name)


to_artifact = reader(Artifact, state=ArtifactState)
"""Reads a row of the artifacts table."""
