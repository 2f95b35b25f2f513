"""PDF/A: archived PDFs are taken in, converted, and archived in bags that name their source."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from export_pipeline.errors import ConfigError
from export_pipeline.ledger.rows import ScanState
from export_pipeline.vendors.cloudconvert.conversion import multipart
from export_pipeline_tests.vendors.cloudconvert.home import BAG, PDF, CloudConvertHome, home_of


@pytest.fixture
def home(tmp_path: Path) -> Iterator[CloudConvertHome]:
    with home_of(tmp_path) as made:
        yield made


@pytest.mark.parametrize("signs", [True, False])
def test_an_archived_report_is_converted_into_a_bag_that_names_its_source(
    home: CloudConvertHome, signs: bool
) -> None:
    home.store.signs = signs
    (scan,) = home.go_on([home.conversion()])
    assert scan.state == ScanState.ARCHIVED
    (artifact,) = home.files(scan).values()
    assert artifact.name == "files/pdf_report.pdf"
    assert artifact.details is not None
    assert artifact.details["opened"]["format"] == "pdf"
    source = home.provenance(scan)["details"]["source"]
    assert (source["bag"], source["sha256"]) == (BAG, sha256(PDF).hexdigest())
    assert home.operations() == ["export/upload" if signs else "export/url"]


def test_a_conversion_whose_answer_got_lost_is_found_and_takes_its_file_in(
    home: CloudConvertHome,
) -> None:
    home.store.signs = False
    home.faults(create=["drop"])
    (scan,) = home.go_on([home.conversion()])
    assert scan.state == ScanState.ARCHIVED
    assert home.orders(scan) == len(home.ours()) == 1


def test_a_conversion_that_fails_names_the_task_and_is_ordered_3_times(
    home: CloudConvertHome,
) -> None:
    home.faults(convert=["fails"] * 3)
    (scan,) = home.go_on([home.conversion()])
    assert scan.state == ScanState.FAILED
    assert "task convert-1 (convert): The task failed for an unknown reason" in scan.reason
    assert "so one failed too" in scan.reason
    assert home.orders(scan) == 3


def test_a_report_that_is_gone_fails_at_once_and_says_so(home: CloudConvertHome) -> None:
    home.store.signs = False
    home.stuck = 9
    (scan,) = home.go_on([home.conversion(key=f"{BAG}data/gone.pdf")])
    assert scan.state == ScanState.FAILED
    assert "is no longer in the archive" in scan.reason


def test_the_task_that_converts_can_be_set(home: CloudConvertHome) -> None:
    task = '{"operation": "convert", "output_format": "pdf", "pdf_a": true}'
    home.vendor = home.make_vendor(EXPORT_CLOUDCONVERT_PDFA_TASK=task)
    home.go_on([home.conversion()])
    (job,) = home.ours()
    tasks = home.call("GET", f"/v2/jobs/{job['id']}?include=payload").json()["data"]["tasks"]
    (payload,) = [one["payload"] for one in tasks if one["operation"] == "convert"]
    assert payload == {
        "operation": "convert",
        "input": ["import-1"],
        "output_format": "pdf",
        "pdf_a": True,
    }


@pytest.mark.parametrize("task", ["convert", "[]", "{}", '{"operation": 7}'])
def test_a_task_that_is_none_is_named(home: CloudConvertHome, task: str) -> None:
    with pytest.raises(ConfigError, match="EXPORT_CLOUDCONVERT_PDFA_TASK: it is no JSON object"):
        home.make_vendor(EXPORT_CLOUDCONVERT_PDFA_TASK=task).require("default")


def test_a_form_has_its_fields_first_and_the_file_last() -> None:
    head, tail = multipart({"expires": 7, "signature": "s"}, "a.pdf", "b0und")
    whole = (head + b"BYTES" + tail).decode()
    assert whole.index('name="expires"\r\n\r\n7\r\n') < whole.index('name="signature"')
    assert whole.index('name="signature"') < whole.index('name="file"; filename="a.pdf"')
    assert whole.endswith("BYTES\r\n--b0und--\r\n")
