import pytest
from hypothesis import given
from hypothesis import strategies as st

from export_pipeline.archive.layout import (
    bag_prefix,
    payload_key,
    prefix_of,
    read_prefix,
    seal_key,
)
from export_pipeline.errors import BadInput
from export_pipeline.scans import ScanKey
from export_pipeline.storage.keys import require_key
from export_pipeline_tests.archive.bags import HOSTILE_ID

IDS = st.text(min_size=1, max_size=36)


def test_a_bag_lies_below_vendor_account_scan_and_generation() -> None:
    prefix = bag_prefix(ScanKey("copyleaks", "default", "Scan 1"), 2)
    assert prefix == "copyleaks/default/=53can=201/2/"
    assert payload_key(prefix, "results/a.json") == prefix + "data/results/a.json"
    assert seal_key(prefix) == prefix + "tagmanifest-sha256.txt"
    assert prefix_of(payload_key(prefix, "results/a.json")) == prefix
    assert prefix_of(seal_key(prefix)) == prefix


@given(account=IDS, scan=IDS, generation=st.integers(1, 10_000))
def test_every_scan_has_a_prefix_of_four_plain_parts_that_reads_back(
    account: str, scan: str, generation: int
) -> None:
    key = ScanKey("copyleaks", account, scan)
    prefix = bag_prefix(key, generation)
    assert read_prefix(prefix) == (key, generation)
    assert prefix.count("/") == 4
    require_key(seal_key(prefix))


def test_a_hostile_id_stays_in_its_folder() -> None:
    prefix = bag_prefix(ScanKey("copyleaks", "default", HOSTILE_ID), 1)
    assert prefix.split("/")[3:] == ["1", ""]
    assert ".." not in prefix


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "copyleaks/default/a/1",
        "copyleaks/default/a/",
        "copyleaks/default/a/0/",
        "copyleaks/default/a/01/",
        "copyleaks/default/a/²/",
        "copyleaks/default//1/",
        "copyleaks/default/A/1/",
        "copyleaks/default/../1/",
        "copyleaks/default/a/1/data/",
    ],
)
def test_what_is_no_prefix_of_a_bag_is_refused(prefix: str) -> None:
    with pytest.raises(BadInput):
        read_prefix(prefix)


@pytest.mark.parametrize(("scan", "generation"), [("", 1), ("a", 0)])
def test_an_empty_id_or_a_generation_below_one_has_no_bag(scan: str, generation: int) -> None:
    with pytest.raises(BadInput, match="copyleaks/default/"):
        bag_prefix(ScanKey("copyleaks", "default", scan), generation)


@pytest.mark.parametrize("key", ["catalog/2026.parquet", "copyleaks/default/a/1", "a/b/c/d/e"])
def test_an_object_outside_of_every_bag_has_no_prefix(key: str) -> None:
    assert prefix_of(key) is None
