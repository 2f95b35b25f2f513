"""Tombstones, holds, retention and erasure in the ledger, on both databases."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from export_pipeline.archive.layout import scan_prefix
from export_pipeline.errors import ConfigError
from export_pipeline.ledger import (
    bulk,
    database,
    erase,
    events,
    generations,
    holds,
    inbox,
    leases,
    orders,
    placed,
    registry,
    reports,
    retention,
    tombstones,
    turns,
)
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.rows import QueueClass, Scan, ScanState
from export_pipeline.ledger.schema import metadata
from export_pipeline.scans import ScanKey
from export_pipeline_tests.ledger.conftest import SteppedClock

SECRET = "a key of the tests"
HOSTILE = 'a/../b%2f;:"<x>=2e é'
FOLDER = "copyleaks/default/one/"
DAY = 86_400.0


def key(scan: str, vendor: str = "copyleaks", account: str = "default") -> ScanKey:
    return ScanKey(vendor, account, scan)


def test_a_digest_is_of_one_scan_of_one_account_and_of_one_key() -> None:
    digests = {
        tombstones.scan_digest(secret, one)
        for secret in (SECRET, "another")
        for one in (key("a"), key("b"), key("a", "hookbridge"), key("a", account="b"))
    }
    assert len(digests) == 8
    assert tombstones.scan_digest(SECRET, key("1", account="a")) != tombstones.scan_digest(
        SECRET, key("a1", account="")
    )
    assert tombstones.order_digest(SECRET, "x") != tombstones.scan_digest(SECRET, key("x"))


def test_forgotten_scans_are_known_again_by_the_key_that_buried_them(ledger: Ledger) -> None:
    with ledger.write() as tx:
        assert tombstones.forgotten(tx, None, [key("a")]) == set()
        digests = [tombstones.key_digest(SECRET), tombstones.scan_digest(SECRET, key(HOSTILE))]
        tombstones.add(tx, digests, "first", 1.0)
        tombstones.add(tx, digests, "second", 2.0)
        assert tombstones.find(tx, digests[1]) == ("first", 1.0)
        assert tombstones.forgotten(tx, SECRET, [key(HOSTILE), key("a")]) == {key(HOSTILE)}
        for secret, said in ((None, "is not set"), ("another", "is not the key")):
            with pytest.raises(ConfigError, match=said):
                tombstones.forgotten(tx, secret, [key("a")])


def test_an_import_leaves_forgotten_scans_out(ledger: Ledger) -> None:
    with ledger.write() as tx:
        digests = [tombstones.key_digest(SECRET), tombstones.scan_digest(SECRET, key(HOSTILE))]
        tombstones.add(tx, digests, "case", 1.0)
        told = [bulk.NewScan(key(name), {}, None) for name in ("a", HOSTILE, "a", "b")]
        done = bulk.register_many(tx, told, source="import", secret=SECRET)
        assert done == bulk.Registered(new=2, updated=0, known=1, forgotten=1)
        assert registry.find(tx, key(HOSTILE)) is None


def test_holds_are_listed_in_pages_and_by_owner(ledger: Ledger, clock: SteppedClock) -> None:
    keys = [key(HOSTILE), key("a", "hookbridge"), key("b", account="eu")]
    with ledger.write() as tx:
        for one in keys:
            assert holds.place(tx, one, "case") == holds.Hold(one, "case", clock.now)
        assert holds.place(tx, keys[0], "another").reason == "case"
        found: list[ScanKey] = []
        while page := holds.page(tx, after=found[-1] if found else None, limit=1):
            found += [hold.key for hold in page]
        assert sorted(found) == sorted(keys)
        assert [one.key for one in holds.page(tx, vendor="hookbridge")] == [keys[1]]
        assert [one.key for one in holds.page(tx, account="eu")] == [keys[2]]
        assert holds.release(tx, keys[0])
        assert not holds.release(tx, keys[0])


def sealed(tx: Tx, name: str, *ages: float, state: ScanState = ScanState.ARCHIVED) -> Scan:
    """A scan with generations sealed so many days ago."""
    scan, _ = registry.register(tx, key(name), source="test")
    for days in ages:
        number = generations.open_next(tx, registry.by_id(tx, scan.id), wants_bag=True)
        generations.freeze(tx, scan.id, number, "archived", 1, 100)
        then = Tx(tx.connection, tx.now - days * DAY)
        assert generations.sealed(then, scan.id, number, "0" * 64)
    registry.settle(tx, scan.id, state)
    return registry.by_id(tx, scan.id)


def test_what_is_due_was_sealed_long_enough_ago_and_is_held_by_nobody(ledger: Ledger) -> None:
    with ledger.write() as tx:
        old = sealed(tx, "old", 40, 31)
        sealed(tx, "fresh", 29)
        sealed(tx, "sealed-again", 90, 1)
        sealed(tx, "ordered-again", 90, state=ScanState.ORDERED)
        sealed(tx, "never-sealed")
        held = sealed(tx, "held", 90)
        holds.place(tx, held.key, "case")
        interrupted = sealed(tx, "interrupted", 50)
        erase.stop(tx, interrupted)
        found = retention.due(tx, "copyleaks", 30)
        assert [one.scan.scan for one in found] == ["old", "interrupted"]
        assert found[0].bytes == 200
        assert found[0].sealed_at == pytest.approx(tx.now - 31 * DAY)
        assert [one.scan.scan for one in retention.due(tx, "copyleaks", 30, after=old.id)] == [
            "interrupted"
        ]
        assert retention.due(tx, "hookbridge", 30) == []


def test_a_stopped_scan_is_revived_by_nothing(ledger: Ledger, scan: Scan) -> None:
    with ledger.write() as tx:
        number = generations.open_next(tx, scan, wants_bag=True)
        order = orders.insert(tx, scan, generation=number, attempt=1, queue_class=QueueClass.HAND)
        erase.stop(tx, registry.by_id(tx, scan.id))
        assert turns.next_in_queue(tx, "copyleaks", "default", backlog_turn=False) is None
        assert not orders.completed(tx, order, {})
        registry.settle(tx, scan.id, ScanState.ARCHIVED)
        assert registry.by_id(tx, scan.id).state == ScanState.FORGOTTEN


def test_whoever_works_on_a_scan_is_named(ledger: Ledger, scan: Scan, clock: SteppedClock) -> None:
    def at_work() -> str:
        with ledger.read() as tx:
            return erase.at_work(tx, registry.by_id(tx, scan.id), FOLDER)

    with ledger.write() as tx:
        number = generations.open_next(tx, scan, wants_bag=True)
        order = orders.insert(tx, scan, generation=number, attempt=1, queue_class=QueueClass.HAND)
    assert at_work() == ""
    with ledger.write() as tx:
        queued = orders.get(tx, order)
        assert queued is not None
        assert orders.sending(tx, queued, "me", seconds=60, deadline=tx.now + 600)
    assert at_work() == f"its order {order} is being sent"
    with ledger.write() as tx:
        assert orders.completed(tx, order, {})
        assert placed.take_completed(tx, "copyleaks", "me", limit=1, seconds=60)
    assert at_work() == f"its order {order} is being collected"
    clock.step(60)
    assert at_work() == ""
    with ledger.write() as tx:
        generations.freeze(tx, scan.id, number, "archived", 0, 0)
    assert at_work() == "its bag is being sealed"
    clock.step(61)
    assert at_work() == ""
    with ledger.write() as tx:
        leases.acquire(tx, f"seal:{FOLDER}{number}/", "a key", 60)
        leases.acquire(tx, "seal:copyleaks/default/one-more/1/", "a key", 600)
    assert at_work() == "its bag is being sealed"
    clock.step(60)
    with ledger.write() as tx:
        asset = {"generation": 1, "asset": "bag", "status": "archived"}
        reports.add(tx, scan_id=scan.id, vendor="copyleaks", **asset)  # type: ignore[arg-type]
        assert reports.take(tx, "copyleaks", "me", limit=1, seconds=60)
    assert at_work() == "it is being shown in Dagster"
    clock.step(60)
    with ledger.write() as tx:
        leases.acquire(tx, f"write:{FOLDER}1/data/x", "me", 60)
        leases.acquire(tx, "write:copyleaks/default/one-more/1/data/x", "me", 600)
    assert at_work() == "a file of it is being written"
    clock.step(60)
    assert at_work() == ""


def letter(tx: Tx, body: object, *, topic: str = inbox.SCANS, subject: str = "completed") -> int:
    told = {"vendor": "copyleaks", "account": "default", "topic": topic, "subject": subject}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return inbox.receive(tx, headers={}, body=raw, **told)


def test_webhooks_that_name_a_scan_go_and_those_of_others_stay(ledger: Ledger) -> None:
    with ledger.write() as tx:
        named = [
            letter(tx, {"scannedDocument": {"scanId": HOSTILE}}),
            letter(tx, {"deep": [[{"x": [HOSTILE]}]]}),
            letter(tx, {HOSTILE: 1}),
            letter(tx, {"endpoint": f"https://host/bucket/{FOLDER}1/data/x"}),
            letter(tx, b'{"scanId": "' + json.dumps(HOSTILE)[1:-1].upper().encode() + b'"}'),
        ]
        others = [
            letter(tx, {"scanId": HOSTILE + "0"}),
            letter(tx, {"scanId": "another", "text": f"it quotes {HOSTILE}, in passing"}),
            letter(tx, {"endpoint": "https://host/copyleaks/default/one-more/1/data/x"}),
            named.pop(),
        ]
        inbox.handled(tx, [*named, *others])
        unread = letter(tx, {"scanId": HOSTILE})
        after, last = 0, -1
        while after != last:
            last = after
            after = erase.erase_letters(tx, [key(HOSTILE)], [FOLDER], last)
        left = [row.id for row in tx.all(metadata.tables["inbox"].select())]
        assert left == [*sorted(others), unread]


def _alert(tx: Tx, *, reason: str = "", names: Sequence[str] = ()) -> None:
    row = {"cause": reason or "names", "title": "", "reason": reason, "command": "", "count": 1}
    times = dict.fromkeys(("began_at", "seen_at", "due_at"), tx.now)
    tx.run(metadata.tables["alerts"].insert().values(**row, **times, names=list(names)))


def test_an_alert_that_only_looks_like_the_scan_stays(ledger: Ledger) -> None:
    with ledger.write() as tx:
        scan, _ = registry.register(tx, key("11"), source="test")
        _alert(tx, reason="request 1100-11 of 211 failed")
        _alert(tx, reason="entry 11: it is locked")
        erase.erase(tx, scan, FOLDER)
        (left,) = tx.all(metadata.tables["alerts"].select())
    assert left.reason == "request 1100-11 of 211 failed"


def test_what_is_made_of_a_held_scan_is_not_due(ledger: Ledger, clock: SteppedClock) -> None:
    source = {"vendor": "copyleaks", "account": "default", "scan": HOSTILE}
    with ledger.write() as tx:
        for name, details in (("made", {"source": source}), ("other", {"source": "a text"})):
            one, _ = registry.register(
                tx, key(name, "cloudconvert"), source="test", details=details
            )
            number = generations.open_next(tx, one, wants_bag=True)
            generations.freeze(tx, one.id, number, "archived", 1, 1)
            generations.sealed(tx, one.id, number, "0" * 64)
            registry.settle(tx, one.id, ScanState.ARCHIVED)
        clock.step(40 * DAY)
    with ledger.write() as tx:
        assert _due(tx) == ["made", "other"]
        holds.place(tx, key(HOSTILE), "case 7")
        assert _due(tx) == ["other"]


def _due(tx: Tx) -> list[str]:
    return [one.scan.scan for one in retention.due(tx, "cloudconvert", 30)]


def test_an_alert_that_names_the_scan_as_keys_and_commands_do_goes(ledger: Ledger) -> None:
    with ledger.write() as tx:
        scan, _ = registry.register(tx, key(HOSTILE), source="test")
        _alert(tx, reason=f"{scan_prefix(scan.key)}1/data/x changed since it was sealed")
        erase.erase(tx, scan, scan_prefix(scan.key))
        assert tx.all(metadata.tables["alerts"].select()) == []


def test_no_row_of_an_erased_scan_is_left_in_any_table(ledger: Ledger, scan: Scan) -> None:
    with ledger.write() as tx:
        number = generations.open_next(tx, scan, wants_bag=True)
        order = orders.insert(tx, scan, generation=number, attempt=1, queue_class=QueueClass.HAND)
        events.record(tx, scan.id, "told", order)
        letter(tx, {"completed": True}, topic=inbox.ORDERS, subject=order)
        leases.acquire(tx, f"write:{FOLDER}1/data/x", "me", 60)
        for said in ({"reason": f"no {scan.scan} there"}, {"names": [scan.scan]}):
            _alert(tx, **said)
        erase.erase(tx, scan, FOLDER)
        for table in metadata.sorted_tables:
            rows = [row._asdict() for row in tx.all(table.select())]
            assert not rows, table.name


def test_no_byte_of_what_was_deleted_stays_in_the_files_of_sqlite(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    """Bodies of many pages, and short ones that share theirs, once changed before."""
    with ledger.write() as tx:
        ids = [letter(tx, {"scanId": "secret-scan", "text": "x" * size}) for size in (9, 90_000)]
        scan, _ = registry.register(tx, key("secret-scan"), source="test", details={"a": "b"})
        registry.settle(tx, scan.id, ScanState.FAILED, "secret-scan failed " * 50)
        registry.settle(tx, scan.id, ScanState.ARCHIVED)
        inbox.handled(tx, ids)
    with ledger.write() as tx:
        erase.erase_letters(tx, [key("secret-scan")], [], 0)
        erase.erase(tx, scan, "copyleaks/default/secret-scan/")
    words = ledger.wipe()
    if url.startswith("sqlite"):
        assert words == ""
        files = list(tmp_path.glob("ledger.sqlite*"))
        assert files
        assert [path.name for path in files if b"secret-scan" in path.read_bytes()] == []
    else:
        assert "VACUUM" in words


def test_a_reader_that_keeps_deleted_bytes_in_the_log_is_told(
    ledger: Ledger, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not url.startswith("sqlite"):
        pytest.skip("Postgres has no log that could be emptied")
    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", 0.01)
    other = Ledger(url)
    with ledger.read() as reading:
        registry.find(reading, key("x"))
        with ledger.write() as tx:
            registry.register(tx, key("x"), source="test")
        assert "a process was reading" in other.wipe()
    assert other.wipe() == ""
    other.close()
