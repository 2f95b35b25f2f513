"""The catalog's asset, and what Dagster shows again once both databases are lost."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from export_pipeline.ledger.schema import metadata
from export_pipeline.sandbox import ScanSpec
from export_pipeline_tests.archive.catalogs import rebuilt, table
from export_pipeline_tests.defs.lab import ARTIFACTS, LAUNCHES_AT_ONCE, Lab
from export_pipeline_tests.defs.lab import lab as make_lab
from export_pipeline_tests.workflow.test_seal import HOSTILE

LOST = "essay-lost"


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An archive of three scans, one of them hostile and one partial."""
    folder = tmp_path_factory.mktemp("lab")
    with make_lab(folder, EXPORT_ATTEMPTS="1") as made:
        never = ("never_delivers:pdfReport",)
        specs = (ScanSpec(HOSTILE, results=1), ScanSpec(LOST, results=1, traits=never))
        made.materialize(made.register(*specs, count=1))
        yield made


def test_the_catalog_has_a_row_for_each_artifact_and_tells_its_counts(lab: Lab) -> None:
    result = lab.materialize_unpartitioned("archive/catalog")
    assert result.success
    facts = lab.shown(result, "archive/catalog")[""]
    rows = pq.read_table(facts["location"].removeprefix("file://"))
    assert rows.num_rows == facts["rows"] == 3 * 6
    assert facts["size"] == Path(facts["location"].removeprefix("file://")).stat().st_size
    assert set(rows.column("scan").to_pylist()) > {HOSTILE, LOST}
    counts, _schema = facts["rows_by_vendor_and_status"]
    assert [one.data for one in counts] == [
        {"vendor": "copyleaks", "status": "archived", "rows": 12},
        {"vendor": "copyleaks", "status": "partial", "rows": 6},
    ]


def lose_ledger(lab: Lab) -> None:
    with lab.world.ledger.write() as tx:
        for one in reversed(metadata.sorted_tables):
            tx.run(sa.delete(one))


def test_dagster_shows_everything_again_after_both_databases_are_lost(
    lab: Lab, tmp_path: Path
) -> None:
    """One scan is partial: what it lacks shows as failed, as it did before."""
    shown = {asset: lab.materialized(asset) for asset in (*ARTIFACTS, "bag")}
    failed, rows = lab.failed("pdf_report"), table(lab.world.ledger)
    assert failed
    lose_ledger(lab)
    assert rebuilt(lab.world.ledger, lab.world.store, show=10).shown == 3
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=LAUNCHES_AT_ONCE) as instance:
        new = replace(lab, instance=instance)
        new.tick("scan_completed")
        new.job("collect")
        assert {asset: new.materialized(asset) for asset in shown} == shown
        assert new.failed("pdf_report") == failed
        assert len(new.partitions()) == 3
        again = new.materialize_unpartitioned("archive/catalog")
        facts = new.shown(again, "archive/catalog")[""]
        assert pq.read_table(facts["location"].removeprefix("file://")).equals(rows)
