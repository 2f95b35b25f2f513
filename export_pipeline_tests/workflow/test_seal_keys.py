"""Two that seal one bag with different keys at one moment: one of them does, and the bag holds."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import bagit
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr

from export_pipeline.archive.audit import audit
from export_pipeline.archive.bag import TAG_NAMES
from export_pipeline.archive.layout import SEAL_NAME, bag_prefix
from export_pipeline.archive.signature import SIGNATURE_NAME
from export_pipeline.errors import StoreUnavailable
from export_pipeline.ledger.rows import Scan, ScanState
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import StoredObject
from export_pipeline.workflow import seal as sealing
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.seal import seal, seal_if_possible
from export_pipeline_tests.archive.signing import private_pem, signing
from export_pipeline_tests.workflow.stepped import Stepped
from export_pipeline_tests.workflow.test_seal import HOSTILE, StoreWithout

ONE, TWO = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
KNOWN = signing(ONE, TWO)


class Meeting(LocalStore):
    """A store in which somebody else does something right before one object is written."""

    def __init__(self, root: Path, name: str, meanwhile: Callable[[], Awaitable[None]]) -> None:
        super().__init__(root)
        self._name, self._meanwhile = name, meanwhile

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str | None = None
    ) -> StoredObject:
        if key.endswith(f"/{self._name}"):
            await self._meanwhile()
        return await super().put(key, chunks, content_type=content_type)


def frozen(home: Stepped) -> Scan:
    """A scan that waits for nothing but its seal; whoever began it is long gone."""
    scan = home.ordered(HOSTILE)
    home.deliver(home.newest(scan))
    home.collect(store=StoreWithout(home, "bag-info.txt"))
    home.now += sealing.LEASE_SECONDS
    return scan


def with_key(pipeline: Pipeline, key: Ed25519PrivateKey | None) -> Pipeline:
    secret = SecretStr(private_pem(key)) if key else None
    return replace(pipeline, settings=pipeline.settings.model_copy(update={"signing_key": secret}))


def problems(home: Stepped, scan: Scan) -> str:
    return "; ".join(asyncio.run(audit(home.store, bag_prefix(scan.key, 1), KNOWN)).problems)


@pytest.mark.parametrize("other", [TWO, None], ids=["another key", "no key"])
@pytest.mark.parametrize("name", [*TAG_NAMES, SIGNATURE_NAME, SEAL_NAME])
def test_whoever_comes_while_another_seals_with_its_key_leaves_the_bag_to_that_one(
    home: Stepped, name: str, other: Ed25519PrivateKey | None
) -> None:
    scan = frozen(home)

    async def work(pipeline: Pipeline) -> None:
        async def meanwhile() -> None:
            await seal_if_possible(with_key(pipeline, other), scan, 1)

        meeting = Meeting(home.home / "archive", name, meanwhile)
        await seal(replace(with_key(pipeline, ONE), store=meeting), scan, 1)

    home.run(work)
    assert home.scan(scan).state == ScanState.ARCHIVED
    assert problems(home, scan) == ""
    bag = bagit.Bag(str(home.folder(scan)))
    bag.validate()
    assert bag.info["Export-Signing-Key"] == signing(ONE).signing_id
    assert "is being sealed with another signing key" in str(home.history(scan)[-2].detail)


def test_what_a_dead_sealer_began_with_another_key_is_finished_once_its_lease_is_over(
    home: Stepped,
) -> None:
    scan = frozen(home)
    dying = StoreWithout(home, SEAL_NAME)
    with pytest.raises(StoreUnavailable):
        home.run(lambda pipeline: seal(with_key(pipeline, ONE), scan, 1), store=dying)
    with pytest.raises(StoreUnavailable, match="is being sealed with another signing key"):
        home.run(lambda pipeline: seal(with_key(pipeline, TWO), scan, 1))
    home.now += 60
    home.run(lambda pipeline: seal(with_key(pipeline, TWO), scan, 1))
    assert problems(home, scan) == ""


def test_with_one_key_nobody_waits_for_a_sealer_that_died(home: Stepped) -> None:
    scan = frozen(home)
    dying = StoreWithout(home, SEAL_NAME)
    with pytest.raises(StoreUnavailable):
        home.run(lambda pipeline: seal(with_key(pipeline, ONE), scan, 1), store=dying)
    home.run(lambda pipeline: seal(with_key(pipeline, ONE), scan, 1))
    assert problems(home, scan) == ""
    assert home.look(lambda tx: tx.connection.exec_driver_sql("SELECT * FROM leases").all()) == []


def test_a_sealer_stops_before_its_lease_is_over(
    home: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it would write later could meet what another key has begun."""
    monkeypatch.setattr(sealing, "MARGIN_SECONDS", sealing.LEASE_SECONDS - 0.2)
    scan = frozen(home)

    async def stall() -> None:
        await asyncio.sleep(30)

    slow = Meeting(home.home / "archive", SEAL_NAME, stall)
    with pytest.raises(StoreUnavailable, match="was not sealed within the time of its lease"):
        home.run(lambda pipeline: seal(with_key(pipeline, ONE), scan, 1), store=slow)
    assert not (home.folder(scan) / SEAL_NAME).exists()
