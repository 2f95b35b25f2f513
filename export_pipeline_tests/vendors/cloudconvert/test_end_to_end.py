"""CloudConvert through the whole workflow, on a clock that vendor and ledger share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from export_pipeline.archive.layout import INCOMING
from export_pipeline.ledger import inbox
from export_pipeline.ledger.rows import ScanState
from export_pipeline.vendors.cloudconvert.tags import order_of
from export_pipeline_tests.vendors.cloudconvert.bench import DAY_SECONDS, UNKNOWN_JOB
from export_pipeline_tests.vendors.cloudconvert.home import CloudConvertHome, home_of
from export_pipeline_tests.vendors.cloudconvert.web_store import LENT, SIGNATURE

HOSTILE = 'a/../b%2f;:"<x> ü=2e.pdf..'


@pytest.fixture
def home(tmp_path: Path) -> Iterator[CloudConvertHome]:
    with home_of(tmp_path) as made:
        yield made


def texts(*names: str) -> dict[str, bytes]:
    return {f"files/{name}": f"the text of {name}".encode() for name in names}


def test_one_file_is_written_by_the_vendor_to_a_signed_url(home: CloudConvertHome) -> None:
    (scan,) = home.settle({"scan": home.made(["a.txt"])})
    assert scan.state == ScanState.ARCHIVED
    assert home.payload(scan) == texts("a.txt")
    assert home.operations() == ["export/upload"]


def test_several_files_and_those_of_a_store_that_signs_nothing_are_pulled(
    home: CloudConvertHome,
) -> None:
    home.store.signs = False
    scans = home.settle({"scan": home.made(["a.txt"])}, {"scan": home.made(["b.txt", "c.txt"])})
    assert [home.payload(one) for one in scans] == [texts("a.txt"), texts("b.txt", "c.txt")]
    assert home.operations() == ["export/url"] * 2
    assert home.stats()["credentials_at_files"] == 0


def test_files_are_written_by_lent_credentials_and_promoted(home: CloudConvertHome) -> None:
    home.store.lends, home.store.signs = True, False
    (scan,) = home.settle({"scan": home.made(["a.txt"])})
    assert home.payload(scan) == texts("a.txt")
    assert home.operations() == ["export/upload"]
    left = (home.folder / "archive" / INCOMING).rglob("*")
    assert [path for path in left if path.is_file()] == []


def test_hostile_names_and_names_that_come_twice_all_have_a_place(home: CloudConvertHome) -> None:
    names = [HOSTILE, "..", "A.txt", "a.txt", "x" * 250 + ".txt"]
    specs = [{"filename": name, "text": name} for name in names]
    specs += [
        {"filename": "a.txt", "dir": folder, "text": folder} for folder in ("x", "x/y", "../z")
    ]
    specs += [{"filename": "a.txt", "text": "another"}]
    (job,) = home.made_jobs({"files": specs})
    (scan,) = home.settle({"scan": job["id"]})
    assert scan.state == ScanState.ARCHIVED
    bodies = sorted(body.decode() for body in home.payload(scan).values())
    assert bodies == sorted(one["text"] for one in specs)
    kept = {one.vendor_name for one in home.files(scan).values()}
    assert kept >= {HOSTILE, "x/a.txt", "x/y/a.txt", "../z/a.txt"}
    assert all(path.is_relative_to(home.bag(scan)) for path in home.bag(scan).rglob("*"))


def test_files_of_one_name_from_two_tasks_come_by_one_export_and_both_stay(
    home: CloudConvertHome,
) -> None:
    tasks = {
        name: {"operation": "import/raw", "file": text, "filename": "same.txt"}
        for name, text in (("a", "one"), ("b", "another"))
    }
    job = home.call("POST", "/v2/jobs", {"tasks": tasks}).json()["data"]["id"]
    home.end()
    home.store.lends = True
    (scan,) = home.settle({"scan": job})
    assert home.payload(scan).keys() == {"files/same.txt", "files/same-2.txt"}
    assert sorted(home.payload(scan).values()) == [b"another", b"one"]
    assert home.operations() == ["export/url"]


def test_several_files_come_as_one_zip_where_asked(home: CloudConvertHome) -> None:
    line = {"scan": home.made(["a.txt", "b.txt"]), "archive_multiple_files": True}
    (scan,) = home.settle(line)
    artifact = home.files(scan)["files/archive.zip"]
    assert artifact.details is not None
    opened = artifact.details["opened"]
    assert (opened["format"], sorted(opened["names"])) == ("zip", ["a.txt", "b.txt"])


def test_what_the_team_exported_itself_is_read_from_there(home: CloudConvertHome) -> None:
    (scan,) = home.settle({"scan": home.made(["a.txt", "b.txt"], exported=True)})
    assert home.payload(scan) == texts("a.txt", "b.txt")
    assert home.ours() == []


def test_urls_that_died_are_made_anew_from_the_task(home: CloudConvertHome) -> None:
    home.faults(file=["dead"] * 2)
    (scan,) = home.settle({"scan": home.made(["a.txt", "b.txt"], exported=True)})
    assert scan.state == ScanState.ARCHIVED
    assert home.operations() == ["export/url"]
    assert "is dead before its time" in home.history(scan)


def test_one_of_two_files_that_was_lost_is_ordered_again_without_the_other(
    home: CloudConvertHome,
) -> None:
    """What stood for files that nobody knew was planned and ordered beside them."""
    home.faults(export=["dead_links"])
    (scan,) = home.settle({"scan": home.made(["a.txt", "b.txt"])})
    assert scan.state == ScanState.ARCHIVED
    assert set(home.files(scan)) == {"files/a.txt", "files/b.txt"}
    assert home.orders(scan) == len(home.ours()) == 2


def test_a_job_that_is_over_24_hours_old_is_expired_at_the_vendor(home: CloudConvertHome) -> None:
    (scan,) = home.settle({"scan": home.made(["a.txt"], age_seconds=DAY_SECONDS + 1)})
    assert scan.state == ScanState.EXPIRED
    assert "deletes everything 24 hours after" in scan.reason
    assert home.stats()["calls"] == {"get": 2}  # it could be a task


def test_urls_that_died_after_the_task_did_leave_a_scan_that_expired(
    home: CloudConvertHome,
) -> None:
    home.faults(export=["dead_links"])
    job = home.made(["a.txt", "b.txt"])

    def delete() -> None:
        home.call("DELETE", f"/v2/jobs/{job}")

    home.between = delete
    (scan,) = home.settle({"scan": job})
    assert scan.state == ScanState.EXPIRED
    assert "expired at vendor" in scan.reason


def test_a_file_whose_task_is_gone_is_missing_and_never_another_of_the_job(
    home: CloudConvertHome,
) -> None:
    """The only file that an export brought was taken for whichever was asked for."""
    tasks = {
        name: {"operation": "import/base64", "file": "dGV4dA==", "filename": f"{name}.txt"}
        for name in ("a", "b")
    }
    job = home.call("POST", "/v2/jobs", {"tasks": tasks}).json()["data"]
    home.end()
    home.store.signs = False
    home.faults(export=["dead_links"])
    (lost,) = [task["id"] for task in job["tasks"] if task["name"] == "a"]

    def delete() -> None:
        home.call("DELETE", f"/v2/tasks/{lost}")

    home.between = delete
    (scan,) = home.settle({"scan": job["id"]})
    assert scan.state == ScanState.PARTIAL
    assert home.payload(scan) == {"files/b.txt": b"text"}
    assert "expired at vendor" in home.files(scan)["files/a.txt"].reason


def test_exports_that_expire_each_time_are_ordered_3_times_and_no_more(
    home: CloudConvertHome,
) -> None:
    home.store.signs = False
    home.faults(export=["dead_links"] * 3)
    (scan,) = home.settle({"scan": home.made(["a.txt"])})
    assert scan.state == ScanState.FAILED
    assert home.orders(scan) == len(home.ours()) == 3


def test_a_failed_job_names_the_task_that_is_the_cause(home: CloudConvertHome) -> None:
    (scan,) = home.settle({"scan": home.made([], error="The file is broken")})
    assert scan.state == ScanState.FAILED
    assert "task import-files (import/url): The file is broken" in scan.reason
    assert home.ours() == []


def test_an_export_that_fails_is_ordered_3_times_and_says_why(home: CloudConvertHome) -> None:
    home.store.signs = False
    home.faults(export=["fails"] * 3)
    (scan,) = home.settle({"scan": home.made(["a.txt"])})
    assert scan.state == ScanState.FAILED
    assert "task one (export/url): The task failed for an unknown reason" in scan.reason
    assert home.orders(scan) == 3


def test_an_upload_whose_answer_got_lost_is_no_failure(home: CloudConvertHome) -> None:
    home.faults(export=["lost_answer"])
    (scan,) = home.settle({"scan": home.made(["a.txt"])})
    assert scan.state == ScanState.ARCHIVED
    assert home.orders(scan) == 1


@pytest.mark.parametrize("operation", ["create", "get", "file"])
@pytest.mark.parametrize("fault", ["429", "503"])
def test_what_passes_costs_no_order(home: CloudConvertHome, operation: str, fault: str) -> None:
    home.store.signs = False
    home.faults(**{operation: [fault] * 2})
    (scan,) = home.settle({"scan": home.made(["a.txt"])})
    assert scan.state == ScanState.ARCHIVED
    assert home.orders(scan) == len(home.ours()) == 1


@pytest.mark.parametrize("fault", ["too_many_jobs", "credits"])
def test_a_402_costs_no_order_either_once_it_is_over(home: CloudConvertHome, fault: str) -> None:
    home.faults(create=[fault])
    (scan,) = home.settle({"scan": home.made(["a.txt"])})
    assert scan.state == ScanState.ARCHIVED
    assert home.orders(scan) == len(home.ours()) == 1
    said = "buy credits for the account" if fault == "credits" else "goes on by itself"
    assert said in home.history(scan)


def test_a_job_that_never_ends_is_given_up_at_its_deadlines(home: CloudConvertHome) -> None:
    home.stuck = 6
    home.faults(export=["never_ends"] * 3)
    (scan,) = home.settle({"scan": home.made(["a.txt"])})
    assert scan.state == ScanState.FAILED
    assert home.orders(scan) == 3


def test_tasks_and_tags_are_archived_too(home: CloudConvertHome) -> None:
    home.made(["old.txt"], tag="a/../b", age_seconds=7200)
    home.made(["new.txt"], tag="a/../b")
    (job,) = home.made_jobs({"files": [{"filename": "t.txt", "text": "the text of t.txt"}]})
    lines = [{"scan": "a/../b", "kind": "tag"}, {"scan": job["tasks"][0], "kind": "task"}]
    tag, task = home.settle(*lines)
    assert (tag.scan, home.payload(tag)) == ("tag:a/../b", texts("new.txt"))
    assert home.payload(task) == texts("t.txt")


def test_a_job_that_the_vendor_lacks_costs_one_call(home: CloudConvertHome) -> None:
    (scan,) = home.settle({"scan": UNKNOWN_JOB, "kind": "job"})
    assert scan.state == ScanState.EXPIRED
    assert home.calls() == 1


def test_no_secret_is_in_the_archive_or_the_ledger(home: CloudConvertHome) -> None:
    home.options(payloads="always")
    home.store.lends = True
    home.faults(create=["429"], get=["503"], export=["fails"], file=["503"])
    with home.receiving():
        lines = [{"scan": home.made(["a.txt"])}, {"scan": home.made(["b.txt", "c.txt"])}]
        home.settle(*lines, {"scan": home.made(["d.txt"]), "delivery": "storage"})
        told = {"EXPORT_CLOUDCONVERT_JOB_WEBHOOKS": "true"}
        home.vendor = home.make_vendor(EXPORT_CLOUDCONVERT_DELIVERY="storage", **told)
        home.go_on([home.conversion()])
        assert home.look(inbox.by_subject, inbox.ORDERS, order_of(home.ours()[-1]["tag"]))
    files = [path for path in home.folder.rglob("*") if path.is_file()]
    kept = b"".join(path.read_bytes() for path in files)
    found = [secret for secret in (*home.secrets, SIGNATURE, LENT) if secret.encode() in kept]
    assert found == []


@pytest.mark.parametrize("job_inputs", ["names", "names_and_ids"])
def test_a_vendor_whose_jobs_take_names_alone_or_ids_too_brings_the_same(
    tmp_path: Path, job_inputs: str
) -> None:
    with home_of(tmp_path, job_inputs=job_inputs) as home:
        home.store.signs = False
        made = home.made(["a.txt"]), home.made(["b.txt", "c.txt"])
        zipped = home.made(["d.txt", "e.txt"])
        one, several, packed = home.settle(
            *({"scan": scan} for scan in made), {"scan": zipped, "archive_multiple_files": True}
        )
        assert [one.state, several.state, packed.state] == [ScanState.ARCHIVED] * 3
        assert home.payload(one) | home.payload(several) == texts("a.txt", "b.txt", "c.txt")
        assert len(home.payload(packed)) == 1
        (converted,) = home.go_on([home.conversion()])
        assert converted.state == ScanState.ARCHIVED
