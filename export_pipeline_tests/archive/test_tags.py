import pytest
from hypothesis import given
from hypothesis import strategies as st

from export_pipeline.archive.tags import read_info, read_manifest, write_info, write_manifest
from export_pipeline.errors import BadInput

DIGEST = "ab" * 32


@given(st.sets(st.text(st.characters(codec="utf-8", exclude_characters="\t"), min_size=1)))
def test_every_path_survives_a_manifest(paths: set[str]) -> None:
    digests = {f"data/{path}": DIGEST for path in paths}
    assert read_manifest(write_manifest(digests), "m") == digests


def test_only_percent_and_line_ends_are_encoded_in_a_manifest() -> None:
    text = write_manifest({"data/b%0A\r\n é": DIGEST, "data/a": DIGEST}).decode()
    assert text == f"{DIGEST}  data/a\n{DIGEST}  data/b%250A%0D%0A é\n"


@pytest.mark.parametrize(
    "data", [b"nonsense\n", b"\xff\n", f"{DIGEST}  a\n{DIGEST}  a\n".encode(), b"abc  data/x\n"]
)
def test_a_manifest_that_was_not_written_so_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(BadInput, match=r"manifest\.txt"):
        read_manifest(data, "manifest.txt")


@given(st.text(st.characters(codec="utf-8")))
def test_no_value_makes_a_second_line_of_bag_info(value: str) -> None:
    text = write_info({"Label": value, "Next": "x"}).decode()
    assert len(text.splitlines()) == 2
    assert read_info(text.encode(), "i")["Next"] == ("x",)


def test_repeated_labels_and_continued_lines_are_read() -> None:
    assert write_info({"A": ["1", "two\r\nlines"], "B": []}) == b"A: 1\nA: two lines\n"
    assert read_info(b"A: 1\nA: two\n  lines\nB:\n", "i") == {"A": ("1", "two lines"), "B": ("",)}


@pytest.mark.parametrize("data", [b"no colon\n", b": x\n", b"  continued\n"])
def test_a_bag_info_without_a_label_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(BadInput, match=r"bag-info\.txt, line 1"):
        read_info(data, "bag-info.txt")


def test_an_id_that_is_not_unicode_is_written_all_the_same() -> None:
    assert write_info({"External-Identifier": "a\ud800"}) == b"External-Identifier: a\\ud800\n"
