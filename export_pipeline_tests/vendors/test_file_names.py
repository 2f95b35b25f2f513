import pytest
from hypothesis import given
from hypothesis import strategies as st

from export_pipeline.vendors.file_names import NAME_BYTES, file_name, safe_name


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("attachment; filename*=UTF-8''Invoice%20%E2%82%AC5.pdf", "Invoice €5.pdf"),
        ("attachment; filename*=utf-8'en'a.pdf; filename=b.pdf", "a.pdf"),
        ("attachment; filename=b.pdf; filename*=iso-8859-1''f%FCr.pdf", "für.pdf"),
        ('attachment; filename="a b;c.csv"', "a b;c.csv"),
        ('inline; FILENAME="quoted \\"q\\".txt"', "quoted _q_.txt"),
        ("attachment; filename*=UTF-8''a%3Ab%3C%3E%7C%3F%2A.txt", "a_b_____.txt"),
        ("attachment; filename=CON", "_CON"),
        ("attachment; filename=nul.tar.gz", "_nul.tar.gz"),
        ("attachment; filename=COM1 .txt", "_COM1 .txt"),
        ("attachment; filename=console.txt", "console.txt"),
        ("attachment; filename=f\udcfcr \udcc4.pdf", "für Ä.pdf"),
        ("attachment; filename=\udcff€.pdf", "ÿâ\x82¬.pdf".replace("\x82", "")),
        ("attachment; filename*=windows-1252''a%80.pdf", "a€.pdf"),
        ("attachment; filename*=no-such-charset''a%20b.pdf", "a b.pdf"),
        ("attachment; filename=plain.zip", "plain.zip"),
        ("attachment; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("attachment; filename*=UTF-8''C%3A%5Ctemp%5Cx.doc", "x.doc"),
        ("attachment; filename*=UTF-8''%00%0a%E2%80%AEfdp.exe", "fdp.exe"),
        ("attachment; filename*=UTF-8''%FF%FE", "��"),
        ("attachment; filename*=UTF-8''..", ""),
        ("attachment; filename=", ""),
        ("attachment", ""),
        ("", ""),
    ],
)
def test_the_vendors_name_of_a_file_is_one_harmless_component(disposition: str, name: str) -> None:
    assert file_name(disposition) == name


@given(st.binary(), st.sampled_from(["", "attachment; ", "attachment; filename=", "filename*="]))
def test_no_header_breaks_the_reading_of_its_name(header: bytes, begin: str) -> None:
    name = file_name(begin + header.decode(errors="surrogateescape"))
    assert not set(name) & set('/\\<>:"|?*\0')
    assert len(name.encode()) <= NAME_BYTES


@pytest.mark.parametrize("name", ["ä" * 400 + ".pdf", "x" * 400, "a." + "b" * 400])
def test_a_name_longer_than_file_systems_take_is_cut(name: str) -> None:
    cut = safe_name(name)
    assert NAME_BYTES - 1 <= len(cut.encode()) <= NAME_BYTES
    assert not name.endswith(".pdf") or cut.endswith("ä.pdf")
