import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from export_pipeline.archive.verify import SPOOL_MEMORY_BYTES, Verdict, verify
from export_pipeline.errors import Doubtful, StoreError, Unreadable
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import pieces

GOOD = b'{"pages": 3}'


def open_json(file: BinaryIO) -> dict[str, Any]:
    try:
        return dict(json.load(file))
    except ValueError as error:
        raise Unreadable(f"not JSON: {error}") from None


def count_bytes(file: BinaryIO) -> dict[str, Any]:
    file.seek(-3, 2)
    return {"end": file.read()}


def verdict_on(root: Path, data: bytes, **expected: Any) -> Verdict:
    store = LocalStore(root)

    async def scenario() -> Verdict:
        await store.put("artifact", pieces(data))
        return await verify(store, "artifact", open_json, **expected)

    return asyncio.run(scenario())


def test_an_artifact_that_is_as_expected_passes_every_check(tmp_path: Path) -> None:
    digest = hashlib.sha256(GOOD).hexdigest()
    verdict = verdict_on(tmp_path, GOOD, expected_size=len(GOOD), expected_sha256=digest)
    assert verdict.passed
    assert (verdict.size, verdict.sha256, verdict.details) == (len(GOOD), digest, {"pages": 3})
    assert verdict.reason == ""
    assert verdict.checks == dict.fromkeys(("present", "size", "sha256", "opens"), "passed")


def test_what_its_opener_doubts_is_kept_and_the_doubt_is_told(tmp_path: Path) -> None:
    def doubt(_: BinaryIO) -> dict[str, Any]:
        raise Doubtful("not a readable PDF")

    store = LocalStore(tmp_path)

    async def scenario() -> Verdict:
        await store.put("artifact", pieces(GOOD))
        return await verify(store, "artifact", doubt, expected_size=len(GOOD))

    verdict = asyncio.run(scenario())
    assert (verdict.passed, verdict.reason) == (True, "")
    assert verdict.checks["opens"] == "kept as it came: not a readable PDF"


def test_without_expectations_size_and_digest_are_told_and_pass(tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path, GOOD)
    assert verdict.passed
    assert verdict.sha256 == hashlib.sha256(GOOD).hexdigest()


def test_a_wrong_size_and_digest_are_told_with_both_values(tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path, GOOD, expected_size=99, expected_sha256="0" * 64)
    assert (verdict.present, verdict.size_ok, verdict.sha256_ok, verdict.opens) == (
        True,
        False,
        False,
        True,
    )
    assert not verdict.passed
    assert "bytes 12, expected 99" in verdict.reason
    assert f"expected {'0' * 64}" in verdict.checks["sha256"]
    assert verdict.checks["opens"] == "passed"


@pytest.mark.parametrize("data", [b"", b"<html>", GOOD[:-1]])
def test_bytes_that_do_not_open_fail_with_the_reason(tmp_path: Path, data: bytes) -> None:
    verdict = verdict_on(tmp_path, data)
    assert verdict.present
    assert not verdict.opens
    assert not verdict.passed
    assert "not JSON" in verdict.checks["opens"]
    assert verdict.details == {}


def test_an_absent_object_is_a_verdict(tmp_path: Path) -> None:
    verdict = asyncio.run(verify(LocalStore(tmp_path), "a/none", open_json))
    assert not verdict.present
    assert not verdict.passed
    assert "'a/none'" in verdict.checks["present"]
    assert "passed" not in verdict.checks.values()


def test_a_large_artifact_is_read_whole(tmp_path: Path) -> None:
    data = b"x" * SPOOL_MEMORY_BYTES + b"end"
    store = LocalStore(tmp_path)

    async def scenario() -> Verdict:
        await store.put("large", pieces(data))
        return await verify(store, "large", count_bytes, expected_size=len(data))

    verdict = asyncio.run(scenario())
    assert verdict.passed
    assert verdict.details == {"end": b"end"}
    assert verdict.sha256 == hashlib.sha256(data).hexdigest()


def test_a_failing_store_is_an_error_and_no_verdict(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        asyncio.run(verify(LocalStore(tmp_path), "../up", open_json))
