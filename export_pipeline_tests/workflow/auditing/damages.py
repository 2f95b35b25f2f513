"""Every way to damage an archive is found and named, by the command and by the asset alike.

A store's tests subclass `DamageConformance` and give two fixtures: `store`, empty, and `variables`,
the environment that opens the same store.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from export_pipeline.archive.holds import hold_key, write_hold
from export_pipeline.archive.tombstones import Tombstone, bury
from export_pipeline.cli import app
from export_pipeline.definitions import defs
from export_pipeline.defs import resources
from export_pipeline.ledger import holds, tombstones
from export_pipeline.ledger.database import sqlite_url
from export_pipeline.ledger.holds import Hold
from export_pipeline.ledger.home import make_ledger
from export_pipeline.scans import ScanKey
from export_pipeline.storage.store import Store, pieces
from export_pipeline_tests.archive.signing import private_pem, signing
from export_pipeline_tests.workflow.archives import (
    INFO,
    MANIFEST,
    REPORT,
    SEAL,
    SIGNATURE,
    Archive,
    flip_a_bit,
)

HOSTILE = 'a/../b%2f;:"<x> =2e ü'
DIGEST = 64 * "a"
HELD = (HOSTILE, "essay-1")
UNKNOWN_HOLD = "holds/copyleaks/default/unknown.json"
UNKNOWN_TOMBSTONE = f"tombstones/{DIGEST}.json"
ALTERED = b"%PDF-1.7 altered"
Damage = Callable[[Archive, str], Awaitable[object]]


async def flip(archive: Archive, prefix: str) -> None:
    await archive.replace(prefix + REPORT, flip_a_bit)


async def delete(archive: Archive, prefix: str) -> None:
    await archive.store.delete(prefix + REPORT)


async def add_to_payload(archive: Archive, prefix: str) -> None:
    await archive.store.put(f"{prefix}data/extra.json", pieces(b"{}"))


async def add_beside(archive: Archive, prefix: str) -> None:
    await archive.store.put(f"{prefix}notes.txt", pieces(b"x"))


async def alter_manifest(archive: Archive, prefix: str) -> None:
    await archive.rewrite(prefix, MANIFEST, {REPORT: ALTERED})


async def alter_info(archive: Archive, prefix: str) -> None:
    await archive.replace(prefix + INFO, lambda data: data + b"Export-Verdict: archived\n")


async def alter_payload_and_manifest(archive: Archive, prefix: str) -> bytes:
    await archive.replace(prefix + REPORT, lambda _: ALTERED)
    return await archive.rewrite(prefix, MANIFEST, {REPORT: ALTERED})


async def alter_everything(archive: Archive, prefix: str) -> None:
    manifest = await alter_payload_and_manifest(archive, prefix)
    await archive.rewrite(prefix, SEAL, {MANIFEST: manifest})


async def delete_and_reseal(archive: Archive, prefix: str) -> None:
    await archive.store.delete(prefix + REPORT)

    def without(data: bytes) -> bytes:
        return b"".join(one for one in data.splitlines(True) if REPORT.encode() not in one)

    manifest = await archive.replace(prefix + MANIFEST, without)
    await archive.rewrite(prefix, SEAL, {MANIFEST: manifest})


async def delete_seal(archive: Archive, prefix: str) -> None:
    await archive.store.delete(prefix + SEAL)


async def delete_all(archive: Archive, prefix: str) -> None:
    for key in [found.key async for found in archive.store.list(prefix)]:
        await archive.store.delete(key)


DAMAGES: dict[str, tuple[Damage, tuple[str, ...]]] = {
    "one flipped bit": (flip, (f"{REPORT} changed since it was sealed",)),
    "one deleted object": (delete, (f"{REPORT} was sealed and is missing",)),
    "one extra payload object": (
        add_to_payload,
        ("data/extra.json is there and was never sealed",),
    ),
    "one extra object": (add_beside, ("notes.txt is there and was never sealed",)),
    "an altered manifest": (alter_manifest, (f"{MANIFEST} changed",)),
    "an altered bag-info": (alter_info, (f"{INFO} changed",)),
    "payload and manifest altered": (alter_payload_and_manifest, (f"{MANIFEST} changed",)),
    "the seal rewritten too": (
        alter_everything,
        (": its seal is not the one with which it was sealed", f"{REPORT} changed"),
    ),
    "a file deleted from every manifest": (
        delete_and_reseal,
        (": its seal is not the one with which it was sealed", f"{REPORT} was sealed and is miss"),
    ),
    "the seal deleted": (delete_seal, (": it has no seal",)),
    "the whole folder deleted": (delete_all, (": nothing of it is in the store",)),
}


async def remove_signature(archive: Archive, prefix: str) -> None:
    await archive.store.delete(prefix + SIGNATURE)


async def break_signature(archive: Archive, prefix: str) -> None:
    await archive.replace(prefix + SIGNATURE, flip_a_bit)


SIGNATURE_DAMAGES: dict[str, tuple[Damage, str]] = {
    "the signature removed": (remove_signature, "its signature is missing"),
    "the signature altered": (break_signature, "its signature does not hold"),
}


@dataclass(frozen=True)
class Outcome:
    """What verifying told: its sentences, and whether it called the archive whole."""

    problems: list[str]
    passed: bool


class DamageConformance:
    """What every store's archive must tell of damage."""

    @pytest.fixture
    def home(
        self, tmp_path: Path, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> Path:
        whole = {"EXPORT_PIPELINE_HOME": str(tmp_path / "home"), "EXPORT_FIXITY_DAYS": "1"}
        for name, value in {**variables, **whole}.items():
            monkeypatch.setenv(name, value)
        return tmp_path / "home"

    @pytest.fixture
    def archive(self, home: Path, store: Store) -> Iterator[Archive]:
        home.mkdir()
        ledger = make_ledger(sqlite_url(home))
        yield Archive(ledger, store)
        ledger.close()

    @pytest.mark.parametrize("damage", DAMAGES)
    def test_damage_is_found_and_named_by_the_command_and_by_the_asset(
        self, archive: Archive, damage: str
    ) -> None:
        inflict, fragments = DAMAGES[damage]

        async def make() -> str:
            await archive.add("essay-1")
            prefix = await archive.add(HOSTILE)
            await inflict(archive, prefix)
            return prefix

        prefix = asyncio.run(make())
        for outcome in (by_command(), by_asset()):
            assert not outcome.passed
            for fragment in fragments:
                assert any(one.startswith(prefix + fragment) for one in outcome.problems), outcome
            assert not any("essay-1" in one for one in outcome.problems)

    @pytest.mark.parametrize("damage", SIGNATURE_DAMAGES)
    def test_a_signature_that_does_not_hold_is_told(
        self, archive: Archive, damage: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = Ed25519PrivateKey.generate()
        monkeypatch.setenv("EXPORT_SIGNING_KEY", private_pem(key))
        inflict, said = SIGNATURE_DAMAGES[damage]

        async def make() -> str:
            await archive.add("essay-1", keys=signing(key))
            prefix = await archive.add(HOSTILE, keys=signing(key))
            await inflict(archive, prefix)
            return prefix

        prefix = asyncio.run(make())
        for outcome in (by_command(), by_asset()):
            (problem,) = outcome.problems
            assert problem.startswith(f"{prefix}: ")
            assert said in problem

    def test_a_whole_archive_is_called_whole(self, archive: Archive) -> None:
        async def make() -> None:
            for scan in ("essay-1", HOSTILE, HOSTILE):
                await archive.add(scan)

        asyncio.run(make())
        assert by_command() == by_asset() == Outcome([], passed=True)

    def test_what_the_ledger_does_not_know_is_named(self, archive: Archive) -> None:
        strange = (
            "copyleaks/default/unknown/1/data/x",
            "copyleaks/default/essay-1/notes.txt",
            "copyleaks/default/essay-1/2/data/x",
            "hello.txt",
            ".incoming/0123/x",
            "catalog/mine.parquet",
            "fixity/2026-11-22t050607-a-run/x.parquet",
            "report/notes.txt",
            "tombstones/notes.json",
            "holds/copyleaks/notes.txt",
            UNKNOWN_HOLD,
            UNKNOWN_TOMBSTONE,
        )

        async def make() -> None:
            await archive.add("essay-1")
            for key in strange:
                await archive.store.put(key, pieces(b"x"))

        asyncio.run(make())
        told = (
            "copyleaks/default/essay-1/2/ is the folder of a bag that the ledger does not know",
            "copyleaks/default/unknown/1/ is the folder of a bag that the ledger does not know",
            "copyleaks/default/essay-1/notes.txt belongs to no bag",
            "hello.txt belongs to no bag",
            ".incoming/0123/x was left by a closed order",
            "catalog/mine.parquet belongs to no bag",
            "fixity/2026-11-22t050607-a-run/x.parquet belongs to no bag",
            "report/notes.txt belongs to no bag",
            "tombstones/notes.json belongs to no bag",
            "holds/copyleaks/notes.txt belongs to no bag",
            f"{UNKNOWN_HOLD} is a hold that the ledger does not know",
            f"{UNKNOWN_TOMBSTONE} is a tombstone that the ledger does not know",
        )
        for outcome in (by_command(), by_asset()):
            assert not outcome.passed
            assert len(outcome.problems) == len(told)
            for said in told:
                assert any(one.startswith(said) for one in outcome.problems), outcome

    def test_a_hold_that_the_store_lost_is_named_and_what_both_have_is_not(
        self, archive: Archive
    ) -> None:
        lost, kept = (Hold(ScanKey("copyleaks", "default", one), "a case", 0.0) for one in HELD)

        async def make() -> None:
            await archive.add("essay-1")
            for hold in (lost, kept):
                await archive.ledger.apply(holds.add, hold)
            await archive.ledger.apply(tombstones.add, [DIGEST], "a case", 0.0)
            await write_hold(archive.store, kept)
            await bury(archive.store, Tombstone(DIGEST, "a case", 0.0))

        asyncio.run(make())
        for outcome in (by_command(), by_asset()):
            (problem,) = outcome.problems
            assert problem.startswith(f"{hold_key(lost.key)} is missing")


def by_command(*arguments: str) -> Outcome:
    """What `verify --all` says."""
    done = CliRunner().invoke(app, ["verify", *(arguments or ["--all"]), "--json"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return Outcome(json.loads(done.stdout)["problems"], done.exit_code == 0)


def by_asset() -> Outcome:
    """What the asset's check `intact` says."""
    with fixity_run() as (_, evaluations):
        check = evaluations["intact"]
        said = check.description or ""
        return Outcome(said.splitlines(), check.passed)


@contextmanager
def fixity_run() -> Iterator[tuple[dict[str, Any], dict[str, dg.AssetCheckEvaluation]]]:
    """Materialize `archive/fixity`; its metadata and its checks by name."""
    try:
        with dg.DagsterInstance.ephemeral() as instance:
            result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
                instance=instance, asset_selection=[dg.AssetKey(["archive", "fixity"])]
            )
            (made,) = result.asset_materializations_for_node("archive__fixity")
            facts = {name: value.value for name, value in made.metadata.items()}
            yield facts, {one.check_name: one for one in result.get_asset_check_evaluations()}
    finally:
        resources._ledger.cache_clear()
