"""What each materialization tells, and what none may tell."""

from pathlib import Path

from export_pipeline.sandbox.copyleaks.options import DEFAULT_KEY
from export_pipeline_tests.defs.lab import Lab
from export_pipeline_tests.servers.receiver import SECRET


def test_an_artifacts_metadata_says_what_it_is_where_it_lies_and_what_was_checked(
    lab: Lab,
) -> None:
    (key,) = lab.register(count=1)
    pdf = lab.shown(lab.materialize([key]), "pdf_report")[key]
    file = lab.archive / f"copyleaks/default/{key}/1/data/pdf_report.pdf"
    assert pdf["status"] == "verified"
    assert pdf["scan"] == key
    assert pdf["size"] == file.stat().st_size
    assert len(pdf["sha256"]) == 64
    assert pdf["content_type"] == "application/pdf"
    assert pdf["location"] == file.as_uri()
    assert pdf["generation"] == 1
    assert pdf["orders"] == [order["export"] for order in lab.orders([key])]
    assert pdf["opened"]["pages"] >= 1
    assert pdf["checks"] == dict.fromkeys(("present", "size", "sha256", "opens"), "passed")
    assert {name for name in pdf if name.startswith("seconds_")} == {
        "seconds_in_queue", "seconds_at_vendor", "seconds_to_verify",
    }  # fmt: skip


def test_the_bags_metadata_says_where_it_lies_and_how_much_it_holds(lab: Lab) -> None:
    (key,) = lab.register(count=1)
    bag = lab.shown(lab.materialize([key]), "bag")[key]
    assert bag["status"] == "archived"
    assert bag["files"] == 6
    assert bag["missing"] == 0
    assert bag["location"] == (lab.archive / f"copyleaks/default/{key}/1").as_uri() + "/"


def test_no_secret_and_no_address_of_the_receiver_is_in_anything_that_dagster_keeps(
    lab: Lab,
) -> None:
    keys = lab.register(count=2)
    lab.delete(keys[0])
    assert not lab.materialize(keys).success
    lab.job("archive", partition_keys=keys)
    kept = b"".join(path.read_bytes() for path in files(Path(lab.instance.root_directory)))
    assert keys[1].encode() in kept
    receiver = lab.world.environment["EXPORT_RECEIVER_URL"]
    for secret in (SECRET, DEFAULT_KEY, receiver, "X-Export-Token", "Bearer"):
        assert secret.encode() not in kept, secret


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
