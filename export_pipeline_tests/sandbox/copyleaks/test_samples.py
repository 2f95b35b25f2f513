import pytest

from export_pipeline.sandbox import ScanSpec, sample_scans
from export_pipeline.sandbox.copyleaks.orders import SINGLE_ARTIFACTS, check_id
from export_pipeline.sandbox.copyleaks.samples import HOSTILE_ID


@pytest.mark.parametrize("count", [1, 8, 9, 25, 200])
def test_there_are_as_many_samples_as_asked_each_with_a_valid_id_of_its_own(count):
    specs = sample_scans(count, "http://host/{STATUS}", [("X-Secret", "s")])

    assert len({spec.id for spec in specs}) == count
    for spec in specs:
        check_id("scanId", spec.id)
        assert ScanSpec.from_json(spec.to_json()) == spec
        assert spec.status_url == "http://host/{STATUS}"


@pytest.mark.parametrize("count", [9, 25])
def test_every_hard_scan_is_among_nine_or_more(count):
    specs = sample_scans(count)

    assert any(spec.results == 2_300 for spec in specs)
    assert any("pdfReport" not in spec.artifacts and spec.enabled for spec in specs)
    assert any("pdfReport" not in spec.artifacts and not spec.enabled for spec in specs)
    assert any(spec.id == HOSTILE_ID for spec in specs)
    traits = {trait.partition(":")[0] for spec in specs for trait in spec.traits}
    assert traits == {
        "unhealthy_first",
        "lost_answer",
        "no_completion",
        "double_completion",
        "double_completed",
    }


def test_ordinary_samples_have_all_kinds_and_1_to_12_results():
    for spec in sample_scans(8):
        assert spec.artifacts == SINGLE_ARTIFACTS
        assert 1 <= spec.results <= 12
