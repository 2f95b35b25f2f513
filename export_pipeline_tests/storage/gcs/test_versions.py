"""Generations and holds: every generation is erased, and what keeps one is told before."""

import asyncio
import json
from collections.abc import Mapping

import pytest

from export_pipeline.storage.gcs.client import GcsClient
from export_pipeline.storage.gcs.store import GcsStore
from export_pipeline.storage.http import Answer

PREFIX = "my archive/"
FOLDER = "copyleaks/default/essay/"
COMMON = {"size": "3", "md5Hash": "", "crc32c": ""}
PAGES = [
    {
        "kind": "storage#objects",
        "nextPageToken": "two",
        "items": [
            {**COMMON, "name": f"{PREFIX}{FOLDER}1/bagit.txt", "generation": "11"},
            {
                **COMMON,
                "name": f"{PREFIX}{FOLDER}1/bagit.txt",
                "generation": "12",
                "temporaryHold": True,
                "retentionExpirationTime": "2040-01-02T03:04:05.678Z",
            },
        ],
    },
    {
        "kind": "storage#objects",
        "items": [
            {**COMMON, "name": f"{PREFIX}{FOLDER}1/data/", "generation": "13"},
            {
                **COMMON,
                "name": f"{PREFIX}{FOLDER}1/data/x",
                "generation": "14",
                "eventBasedHold": True,
            },
        ],
    },
]
"""What Google lists of a bucket with versions (JSON API: "Objects: list"): no server here does."""


@pytest.fixture
def calls(store: GcsStore, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Mapping[str, str]]]:
    """Answer as Google does, and note what was asked: action and query."""
    noted: list[tuple[str, Mapping[str, str]]] = []

    async def call(
        _: GcsClient,
        action: str,
        verb: str,
        path: str,
        name: str,
        *,
        query: Mapping[str, str],
    ) -> Answer:
        noted.append((f"{action} {path}" if action == "objects.delete" else action, dict(query)))
        page = PAGES[1] if query.get("pageToken") == "two" else PAGES[0]
        return Answer(200, {}, json.dumps(page).encode())

    monkeypatch.setattr(GcsClient, "call", call)
    return noted


def test_each_generation_is_listed_with_what_keeps_it(
    store: GcsStore, calls: list[tuple[str, Mapping[str, str]]]
) -> None:
    async def scenario() -> list[tuple[str, str]]:
        return [(one.key, one.lock) async for one in store.versions(FOLDER)]

    assert asyncio.run(scenario()) == [
        (f"{FOLDER}1/bagit.txt", ""),
        (f"{FOLDER}1/bagit.txt", "a temporary hold and a retention until 2040-01-02T03:04:05.678Z"),
        (f"{FOLDER}1/data/", ""),
        (f"{FOLDER}1/data/x", "an event-based hold"),
    ]
    assert all(query["versions"] == "true" for _, query in calls)


def test_each_generation_is_deleted_by_its_number(
    store: GcsStore, calls: list[tuple[str, Mapping[str, str]]]
) -> None:
    assert asyncio.run(store.erase(FOLDER)) == 4
    deleted = [query["generation"] for action, query in calls if action.startswith("objects.del")]
    assert sorted(deleted) == ["11", "12", "13", "14"]


def test_of_one_key_no_longer_key_is_erased(
    store: GcsStore, calls: list[tuple[str, Mapping[str, str]]]
) -> None:
    assert asyncio.run(store.erase(f"{FOLDER}1/data/x")) == 1
    assert calls[-1][1] == {"generation": "14"}
