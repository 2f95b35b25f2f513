import csv
import io
import tracemalloc
from tempfile import SpooledTemporaryFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export_pipeline.errors import Unreadable
from export_pipeline.vendors.hookbridge.table import LONGEST_CHARACTERS, RowCounter, open_csv

CELL = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ROWS = st.lists(st.tuples(CELL, CELL, CELL), max_size=8)
BOM = b"\xef\xbb\xbf"


def written(rows: list[tuple[str, ...]], end: str = "\r\n") -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([("a", "b", "c"), *rows])
    return file.getvalue().encode()


def counted(body: bytes, size: int) -> int:
    counter = RowCounter()
    for start in range(0, len(body), size):
        counter.add(body[start : start + size])
    return counter.rows


@given(ROWS, st.sampled_from(["\r\n", "\n"]), st.integers(1, 40), st.booleans())
def test_every_table_opens_and_is_counted_alike_however_it_is_cut(
    rows: list[tuple[str, ...]], end: str, size: int, is_marked: bool
) -> None:
    body = (BOM if is_marked else b"") + written(rows, end)
    assert open_csv(io.BytesIO(body)) == {"rows": len(rows), "columns": 3}
    assert counted(body, size) == len(rows)
    assert counted(body.removesuffix(end.encode()), size) == len(rows)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "no header"),
        (BOM, "no header"),
        (b"\r\na,b\r\n", "no header"),
        (b"a,,b\r\n", "a column of the header has no name"),
        (b"a,b,a\r\n", "the header has the column 'a' twice"),
        (b"a,b\r\n1,2\r\n3\r\n", "row 2 has 1 fields and the header 2"),
        (b"a,b\r\n1,2,3\r\n", "row 1 has 3 fields and the header 2"),
        (b"a,b\r\n\r\n", "row 1 has 0 fields and the header 2"),
        (b'a,b\r\n1,"2\r\n', "not CSV: unexpected end of data"),
        (b'a,b\r\n1,"2"3\r\n', "not CSV: ',' expected after '\"'"),
        (b"a,b\r\n1,\xff\r\n", "not UTF-8: invalid start byte"),
        ("a,b\r\n".encode("utf-16"), "not UTF-8: invalid start byte"),
    ],
)
def test_what_is_no_table_is_unreadable_with_the_reason(body: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        open_csv(io.BytesIO(body))
    assert str(caught.value) == reason


def test_a_file_stays_open_for_whoever_gave_it() -> None:
    file = io.BytesIO(b"a\r\n1\r\n")
    open_csv(file)
    assert not file.closed


def test_a_long_table_is_read_and_counted_in_constant_memory() -> None:
    rows = 200_000
    with SpooledTemporaryFile() as file:
        file.write(b"a,b\r\n" + b'1,"two\r\nlines"\r\n' * rows)
        file.seek(0)
        tracemalloc.start()
        found, (_, peak) = open_csv(file), tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert found == {"rows": rows, "columns": 2}
    assert peak < 1 << 20


def test_a_line_without_end_is_given_up_and_not_held() -> None:
    body = b"a\r\n" + b"x" * (LONGEST_CHARACTERS + 1)
    with pytest.raises(Unreadable, match="a line of more than"):
        open_csv(io.BytesIO(body))


def test_a_field_of_endless_lines_is_given_up() -> None:
    body = b'a\r\n"' + b"line\r\n" * (LONGEST_CHARACTERS // 6 + 1)
    with pytest.raises(Unreadable, match="field larger than field limit"):
        open_csv(io.BytesIO(body))


def test_an_empty_file_has_no_rows() -> None:
    assert RowCounter().rows == 0
    assert counted(b"a,b\r\n", 3) == 0
