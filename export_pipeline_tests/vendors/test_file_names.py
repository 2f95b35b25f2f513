import pytest

from export_pipeline.vendors.file_names import NAME_BYTES, file_name, safe_name


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("attachment; filename*=UTF-8''Invoice%20%E2%82%AC5.pdf", "Invoice €5.pdf"),
        ("attachment; filename*=utf-8'en'a.pdf; filename=b.pdf", "a.pdf"),
        ("attachment; filename=b.pdf; filename*=iso-8859-1''f%FCr.pdf", "für.pdf"),
        ('attachment; filename="a b;c.csv"', "a b;c.csv"),
        ('inline; FILENAME="quoted \\"q\\".txt"', 'quoted "q".txt'),
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


@pytest.mark.parametrize("name", ["ä" * 400 + ".pdf", "x" * 400, "a." + "b" * 400])
def test_a_name_longer_than_file_systems_take_is_cut(name: str) -> None:
    cut = safe_name(name)
    assert NAME_BYTES - 1 <= len(cut.encode()) <= NAME_BYTES
    assert not name.endswith(".pdf") or cut.endswith("ä.pdf")
