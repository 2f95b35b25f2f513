from pathlib import Path

import sqlalchemy as sa

from export_pipeline.ledger import quotas, schema, tokens
from export_pipeline.ledger.database import Ledger, sqlite_url
from export_pipeline.ledger.home import make_ledger
from export_pipeline_tests.ledger.conftest import SteppedClock

TOKEN = "a-token-that-nobody-may-read"
CREDENTIAL = "the-api-key-that-bought-it"


def test_a_token_is_read_back_with_its_own_credential_only(ledger: Ledger) -> None:
    with ledger.write() as tx:
        tokens.save(tx, "v", "a", CREDENTIAL, TOKEN, tx.now + 3600)
        assert tokens.load(tx, "v", "a", CREDENTIAL, 60) == TOKEN
        assert tokens.load(tx, "v", "a", "another-key", 60) is None
        assert tokens.load(tx, "v", "b", CREDENTIAL, 60) is None


def test_neither_token_nor_credential_is_in_the_ledgers_files(tmp_path: Path) -> None:
    ledger = make_ledger(sqlite_url(tmp_path))
    with ledger.write() as tx:
        tokens.save(tx, "v", "a-plain-account-name", CREDENTIAL, TOKEN, tx.now + 3600)
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    ledger.close()
    assert b"a-plain-account-name" in written
    assert TOKEN.encode() not in written
    assert CREDENTIAL.encode() not in written


def test_a_token_about_to_expire_is_not_used(ledger: Ledger, clock: SteppedClock) -> None:
    with ledger.write() as tx:
        tokens.save(tx, "v", "a", CREDENTIAL, TOKEN, tx.now + 3600)
    clock.step(3541)
    with ledger.read() as tx:
        assert tokens.load(tx, "v", "a", CREDENTIAL, 60) is None
        assert tokens.load(tx, "v", "a", CREDENTIAL, 30) == TOKEN


def test_a_refused_token_is_forgotten_and_a_new_one_takes_its_place(ledger: Ledger) -> None:
    with ledger.write() as tx:
        quotas.cool_down(tx, "v", "a", 60, "HTTP 429")
        tokens.save(tx, "v", "a", CREDENTIAL, TOKEN, tx.now + 3600)
        tokens.forget(tx, "v", "a")
        assert tokens.load(tx, "v", "a", CREDENTIAL, 0) is None
        tokens.save(tx, "v", "a", CREDENTIAL, "the next", tx.now + 3600)
        assert tokens.load(tx, "v", "a", CREDENTIAL, 0) == "the next"
        assert quotas.cooldown(tx, "v", "a")[:2] == (tx.now + 60, "HTTP 429")


def test_tokens_of_other_names_stand_beside_the_logins(ledger: Ledger) -> None:
    names = {"link/a/../b%2f": "https://files/1?sig", "order/2": "an older token"}
    with ledger.write() as tx:
        tokens.save(tx, "v", "a", CREDENTIAL, TOKEN, tx.now + 3600)
        for name, secret in names.items():
            tokens.save(tx, "v", "a", CREDENTIAL, secret, tx.now + 60, name)
    with ledger.read() as tx:
        assert tokens.load_many(tx, "v", "a", CREDENTIAL, [*names, "unknown"]) == names
        assert tokens.load_many(tx, "v", "a", "another-key", list(names)) == {}
        assert tokens.load(tx, "v", "a", CREDENTIAL, 60) == TOKEN


def test_what_ended_is_gone_once_something_else_is_kept(
    ledger: Ledger, clock: SteppedClock
) -> None:
    with ledger.write() as tx:
        tokens.save(tx, "v", "a", CREDENTIAL, TOKEN, tx.now + 60, "old")
        tokens.save(tx, "v", "b", CREDENTIAL, TOKEN, tx.now + 60, "old")
    clock.step(60)
    with ledger.write() as tx:
        tokens.save(tx, "v", "a", CREDENTIAL, TOKEN, tx.now + 60, "new")
        kept = {(row.account, row.name) for row in tx.all(sa.select(schema.tokens))}
    assert kept == {("a", "new"), ("b", "old")}
