"""What the parts of one vendor's slice have in common: names, keys, tags."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import dagster as dg

from export_pipeline.vendors.artifacts import ArtifactKind
from export_pipeline.workflow.describe import BAG
from export_pipeline.workflow.formats import FORMATS
from export_pipeline.workflow.queue import ORDER

PARTITIONS_PER_CALL = 5_000
"""Keys added in one call: SQLite fails above 32,766 variables."""
OWNER = "team:data"
ARCHIVE = "archive"
"""Group, and first part of the keys, of the assets that no vendor owns."""
UPKEEP = "archive_upkeep"
"""The job that makes those assets."""
BAGS = tuple(dg.AssetKey([vendor, BAG]) for vendor in FORMATS)
"""The bags of every vendor, of which the archive consists."""
DAILY = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=49), warn_window=timedelta(hours=25)
)


@dataclass(frozen=True)
class Slice:
    """One vendor as Dagster knows it.

    Args:
        vendor: its name; also the key of its resource and the group of its assets.
        kinds: its artifact kinds, in the order in which they are shown.
        is_asked: whether it is asked how its orders stand (`Vendor.asking`).
    """

    vendor: str
    kinds: Sequence[ArtifactKind]
    is_asked: bool = False

    @property
    def partitions_name(self) -> str:
        """The name under which Dagster keeps the partition keys."""
        return partitions_name(self.vendor)

    @property
    def partitions(self) -> dg.DynamicPartitionsDefinition:
        """Partitions by scan id."""
        return dg.DynamicPartitionsDefinition(name=self.partitions_name)

    @property
    def assets(self) -> list[str]:
        """Names of its assets: the order, each artifact kind, the bag."""
        return [ORDER, *(kind.name for kind in self.kinds), BAG]

    @property
    def tags(self) -> dict[str, str]:
        """Tags of its runs: a batch that failed is retried by what failed, never as a whole."""
        return {"vendor": self.vendor, "dagster/max_retries": "0"}

    def key(self, asset: str) -> dg.AssetKey:
        """The asset's key."""
        return dg.AssetKey([self.vendor, asset])

    def add_partitions(self, instance: dg.DagsterInstance, keys: Sequence[str]) -> None:
        """Make scans visible; keys that are there already stay as they are."""
        for start in range(0, len(keys), PARTITIONS_PER_CALL):
            chunk = keys[start : start + PARTITIONS_PER_CALL]
            instance.add_dynamic_partitions(self.partitions_name, chunk)

    def has_partition(self, instance: dg.DagsterInstance, key: str) -> bool:
        """Whether the scan is visible."""
        return instance.has_dynamic_partition(self.partitions_name, key)

    def delete_partitions(self, instance: dg.DagsterInstance, keys: Sequence[str]) -> None:
        """Take scans out of sight; their history stays, and comes back with the key."""
        for key in keys:
            instance.delete_dynamic_partition(self.partitions_name, key)


def partitions_name(vendor: str) -> str:
    """The name under which Dagster keeps the partition keys of a vendor's scans."""
    return f"{vendor}_scans"


def check_name(asset: str) -> str:
    """The name of the one check of an asset."""
    return "sealed" if asset == BAG else "accepted" if asset == ORDER else "verified"
