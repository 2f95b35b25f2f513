"""The ledger made anew from a bucket, whose listing has an order of its own."""

from contextlib import closing
from pathlib import Path

from export_pipeline.ledger.home import make_ledger
from export_pipeline.storage.s3.store import S3Store
from export_pipeline_tests.archive.catalogs import rebuilt, table
from export_pipeline_tests.workflow.rebuilding.test_rebuild import HOSTILE, partial
from export_pipeline_tests.workflow.stepped import stepped


def test_a_lost_ledger_is_made_anew_from_a_bucket(tmp_path: Path, store: S3Store) -> None:
    with stepped(tmp_path / "home") as home:
        home.store = store  # type: ignore[assignment]
        for name in ("a", "a-b", HOSTILE[0], "=2e"):
            home.archived(name)
        partial(home, "a.b")
        with closing(make_ledger(f"sqlite:///{tmp_path / 'new.sqlite'}")) as new:
            done = rebuilt(new, store)
            assert (done.bags, done.added, done.needs_person) == (5, 5, False)
            assert table(new).equals(table(home.ledger))
