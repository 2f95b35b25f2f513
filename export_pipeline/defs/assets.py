"""A vendor's assets: one multi-asset that orders, waits, and shows what was settled."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import dagster as dg

from export_pipeline.defs.batch import Batch, Result
from export_pipeline.defs.runs import run_held
from export_pipeline.defs.showing import summary
from export_pipeline.defs.slices import OWNER, Slice, check_name
from export_pipeline.vendors.artifacts import ArtifactKind
from export_pipeline.workflow.describe import BAG
from export_pipeline.workflow.queue import ORDER

_FILE_KINDS = {"application/pdf": "pdf", "application/json": "json", "text/csv": "csv"}

NIGHTLY = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=50), warn_window=timedelta(hours=26)
)
"""One night, then two nights without a sealed bag, each with two hours for the run."""


def vendor_assets(slice_: Slice, batch_size: int) -> dg.AssetsDefinition:
    """The order, the artifacts and the bag of every scan.

    One multi-asset with a generator body on skippable specs: what succeeds is logged scan by
    scan, then one `Failure` names the rest, so that Dagster shows exactly those as failed and
    re-executes exactly those.
    """

    @dg.multi_asset(
        name=f"{slice_.vendor}_scan",
        specs=_specs(slice_),
        check_specs=_checks(slice_),
        partitions_def=slice_.partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(batch_size),
        required_resource_keys={slice_.vendor},
        can_subset=True,
        op_tags={"vendor": slice_.vendor},
    )
    def scan_assets(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult]:
        _require_scans(context)
        pipeline = getattr(context.resources, slice_.vendor).pipeline()
        selected = [name for name in slice_.assets if slice_.key(name) in _selected(context)]
        batch = Batch(context, slice_, pipeline, selected, planned=True)
        result = run_held(context, pipeline, batch.run(context.partition_keys))
        for check in context.selected_asset_check_keys:
            yield _summary(check, result)
        if result.failed or result.waiting:
            raise result.failure()

    return scan_assets


def _require_scans(context: dg.AssetExecutionContext) -> None:
    """Refuse a run that names no scan: the button of a check, which Dagster shows, starts such."""
    if not context.has_partition_key_range and not context.has_partition_key:
        raise dg.Failure(
            "no scan is named: choose partitions and materialize them, which verifies sealed scans"
            " again and orders nothing of them; a check by itself has none",
            allow_retries=False,
        )


def _selected(context: dg.AssetExecutionContext) -> set[dg.AssetKey]:
    return set(context.selected_asset_keys)


def _specs(slice_: Slice) -> list[dg.AssetSpec]:
    order = _spec(
        slice_,
        ORDER,
        [],
        {"order"},
        "The vendor was asked for what the scan has: queued, not yet"
        " necessarily sent. Materialize it alone to queue thousands of scans in minutes.",
    )
    artifacts = [_artifact_spec(slice_, kind) for kind in slice_.kinds]
    bag = _spec(
        slice_,
        BAG,
        [spec.key for spec in artifacts],
        {"bagit"},
        "The scan's sealed folder in"
        " the store: verified artifacts, a manifest of sha256 checksums and the provenance.",
        freshness=NIGHTLY,
    )
    return [order, *artifacts, bag]


def _artifact_spec(slice_: Slice, kind: ArtifactKind) -> dg.AssetSpec:
    kinds = {_FILE_KINDS.get(kind.media_type, "file")}
    return _spec(slice_, kind.name, [slice_.key(ORDER)], kinds, kind.description)


def _spec(
    slice_: Slice,
    asset: str,
    deps: Sequence[dg.AssetKey],
    kinds: set[str],
    description: str,
    freshness: dg.FreshnessPolicy | None = None,
) -> dg.AssetSpec:
    return dg.AssetSpec(
        slice_.key(asset),
        deps=deps,
        description=description,
        skippable=True,
        group_name=slice_.vendor,
        kinds={slice_.vendor, *kinds},
        owners=[OWNER],
        freshness_policy=freshness,
        partitions_def=slice_.partitions,
    )


def _checks(slice_: Slice) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(
            check_name(asset),
            asset=slice_.key(asset),
            description="Every scan of the last batch passed; the failed ones have their own row.",
        )
        for asset in slice_.assets
    ]


def _summary(check: dg.AssetCheckKey, result: Result) -> dg.AssetCheckResult:
    asset = check.asset_key.path[-1]
    failed = {key: reason for (key, name), reason in result.failed.items() if name == asset}
    return dg.AssetCheckResult(
        passed=not failed,
        asset_key=check.asset_key,
        check_name=check.name,
        metadata=summary(result.scans, failed),
    )
