"""What is not exported: parts that an entry lacks, and what the vendor refuses."""

import pytest

from export_pipeline.errors import (
    AuthenticationFailed,
    ConfigError,
    OrderRefused,
    ScanGone,
    VendorUnavailable,
)
from export_pipeline.sandbox.laserfiche import EntrySpec
from export_pipeline.vendors.artifacts import Availability
from export_pipeline.vendors.completion import Completion
from export_pipeline_tests.vendors.bench import again
from export_pipeline_tests.vendors.conformance import failing, place
from export_pipeline_tests.vendors.laserfiche.bench import LaserficheBench, sent
from export_pipeline_tests.vendors.transport import answer

REPOSITORIES = '{"value": [{"id": "r-other", "name": "Other"}]}'


@pytest.mark.parametrize("part", ["Image", "Text", "Edoc"])
def test_a_part_that_the_entry_lacks_is_absent_and_not_ordered(
    bench: LaserficheBench, part: str
) -> None:
    receipt = sent(bench, bench.placement(part=part, spec=EntrySpec("empty")))
    (told,) = receipt.files or ()
    assert (told.availability, told.name) == (Availability.ABSENT, part.lower())
    assert told.reason
    assert receipt.completion == Completion()
    assert bench.stats()["orders"] == []


def test_text_that_the_vendor_does_not_have_of_a_file_without_pages_is_absent(
    bench: LaserficheBench,
) -> None:
    spec = EntrySpec("x", extension="docx", edoc_bytes=900)
    receipt = sent(bench, again(bench.placement(part="Text", spec=spec), sends=1))
    (told,) = receipt.files or ()
    assert (told.name, told.availability) == ("text", Availability.ABSENT)
    assert "The document has no pages" in told.reason
    assert receipt.completion == Completion()


def test_text_that_the_account_may_not_export_is_not_called_absent(
    bench: LaserficheBench,
) -> None:
    spec = EntrySpec("x", extension="docx", edoc_bytes=900, traits=("denied",))
    error = failing(bench, bench.placement(part="Text", spec=spec))
    assert isinstance(error, OrderRefused)
    assert error.status == 403


@pytest.mark.parametrize(("kind", "said"), [("Folder", "Folder"), ("Shortcut", "entry 77")])
def test_what_is_no_document_is_refused_with_what_to_register(
    bench: LaserficheBench, kind: str, said: str
) -> None:
    placement = bench.placement(spec=EntrySpec("x", type=kind, target=77))
    error = failing(bench, placement)
    assert isinstance(error, OrderRefused)
    assert said in str(error)


def test_an_audit_reason_that_is_not_there_is_named_with_those_that_are(
    bench: LaserficheBench,
) -> None:
    error = failing(bench, bench.small(options={"auditReason": "Obsolete"}))
    assert isinstance(error, OrderRefused)
    assert "'Obsolete'" in str(error)
    assert "'Legal hold', 'Archival'" in str(error)
    assert bench.stats()["orders"] == []


def test_an_entry_that_the_account_may_not_export_is_refused_alone(
    bench: LaserficheBench,
) -> None:
    error = failing(bench, bench.placement(spec=EntrySpec("x", pages=1, traits=("denied",))))
    assert isinstance(error, OrderRefused)
    assert "Access denied" in str(error)
    assert "grant the account the right" in str(error)


def test_a_403_of_everything_is_a_matter_of_the_account(bench: LaserficheBench) -> None:
    place(bench, bench.placement())
    error = failing(bench, bench.placement("102"), answer(403), answer(403))
    assert isinstance(error, AuthenticationFailed)


@pytest.mark.parametrize("status", [403, 404])
def test_a_wrong_repository_expires_no_scan(bench: LaserficheBench, status: int) -> None:
    place(bench, bench.placement())
    bench.planned.extend([answer(status), answer(200, text=REPOSITORIES)])
    with pytest.raises(ConfigError) as caught:
        place(bench, bench.placement("102"))
    assert str(caught.value).startswith("EXPORT_LASERFICHE_REPOSITORY: ")
    assert "r-other" in str(caught.value)


def test_an_address_without_the_api_expires_no_scan(bench: LaserficheBench) -> None:
    place(bench, bench.placement())
    bench.planned.extend([answer(404), answer(404)])
    with pytest.raises(ConfigError, match=r"^EXPORT_LASERFICHE_URL: no Laserfiche API answers"):
        place(bench, bench.placement("102"))


def test_a_scan_whose_repository_cannot_be_looked_for_is_not_expired(
    bench: LaserficheBench,
) -> None:
    place(bench, bench.placement())
    error = failing(bench, bench.lacking(), answer(404), answer(503))
    assert isinstance(error, VendorUnavailable)
    assert isinstance(failing(bench, bench.lacking()), ScanGone)
