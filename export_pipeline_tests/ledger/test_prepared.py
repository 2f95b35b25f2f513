"""Statements that are built once and bound often, on both databases."""

from typing import Any

import sqlalchemy as sa

from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.prepared import prepared
from export_pipeline.ledger.schema import cursors, quotas

KEY = {"vendor": "v", "account": "a"}
HOSTILE = "a/../b%2f;:\"<x>' OR 1=1 -- :given_0 ?"


@prepared
def add(**values: Any) -> sa.Insert:
    return sa.insert(quotas).values(**values)


@prepared
def change(name: str, **values: Any) -> sa.Update:
    return sa.update(quotas).where(quotas.c.name == name).values(**values)


@prepared
def among(names: list[str], most: int) -> sa.Select[Any]:
    query = sa.select(quotas.c.name).where(quotas.c.name.in_(names))
    return query.order_by(quotas.c.name).limit(most)


def test_each_use_has_values_of_its_own(ledger: Ledger) -> None:
    with ledger.write() as tx:
        for name in ("a", "b", HOSTILE):
            tx.run(add(**KEY, name=name, next_at=1.0, granted=0))
        touched = [tx.run(change(name, granted=7)) for name in ("b", HOSTILE, "unknown")]
        tx.run(change("b", next_at=2.0))
        rows = tx.all(sa.select(quotas.c.name, quotas.c.granted, quotas.c.next_at))
    assert touched == [1, 1, 0]
    assert set(rows) == {("a", 0, 1.0), ("b", 7, 2.0), (HOSTILE, 7, 1.0)}


def test_a_list_may_be_of_any_length(ledger: Ledger) -> None:
    with ledger.write() as tx:
        for name in ("a", "b", "c"):
            tx.run(add(**KEY, name=name, next_at=1.0, granted=0))
        asked = [(["c", "a"], 9), (["a", "b", "c"], 2), ([], 9), (["b"], 9)]
        found = [[row.name for row in tx.all(among(*one))] for one in asked]
    assert found == [["a", "c"], ["a", "b"], [], ["b"]]


def test_values_are_converted_as_their_columns_want_it(ledger: Ledger) -> None:
    @prepared
    def keep(name: str, value: object) -> sa.Insert:
        return sa.insert(cursors).values(name=name, value=value)

    with ledger.write() as tx:
        tx.run(keep("one", {"at": [1, None]}))
        tx.run(keep("two", "text"))
        rows = tx.all(sa.select(cursors.c.name, cursors.c.value).order_by(cursors.c.name))
    assert [tuple(row) for row in rows] == [("one", {"at": [1, None]}), ("two", "text")]


def test_a_statement_is_built_once_for_each_set_of_names() -> None:
    built = []

    @prepared
    def note(name: str, **values: Any) -> sa.Update:
        built.append(sorted(values))
        return sa.update(quotas).where(quotas.c.name == name).values(**values)

    uses = [note("a", granted=1), note("b", granted=2), note("c", next_at=3.0)]
    assert built == [["granted"], ["next_at"]]
    assert uses[0].statement is uses[1].statement
    assert [dict(use.values) for use in uses[:2]] == [
        {"given_0": "a", "given_granted": 1},
        {"given_0": "b", "given_granted": 2},
    ]
