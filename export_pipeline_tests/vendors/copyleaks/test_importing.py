import pytest

from export_pipeline.errors import BadInput
from export_pipeline.vendors.copyleaks.importing import read_line


@pytest.mark.parametrize("result_id", ["a" * 200, "A" * 66])
def test_a_result_id_that_makes_a_file_name_is_taken(result_id: str) -> None:
    found = read_line({"scan": "essay-1", "result_ids": f"r1 {result_id}"})
    assert found.details["result_ids"] == ["r1", result_id]


@pytest.mark.parametrize("result_id", ["a" * 201, "A" * 67, "\x07"])
def test_a_result_id_that_makes_no_file_name_is_refused(result_id: str) -> None:
    with pytest.raises(BadInput, match=r"result_ids: .* at most 200 bytes"):
        read_line({"scan": "essay-1", "result_ids": f"r1 {result_id}"})
