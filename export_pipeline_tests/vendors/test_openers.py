import io
import zipfile
from typing import Any

import pytest
from pypdf import PdfWriter

from export_pipeline.errors import Doubtful, Unreadable
from export_pipeline.vendors import openers
from export_pipeline.vendors.artifacts import ArtifactKind
from export_pipeline.vendors.cloudconvert.artifacts import KINDS as CLOUDCONVERT
from export_pipeline.vendors.hookbridge.artifacts import KINDS as HOOKBRIDGE
from export_pipeline.vendors.laserfiche.artifacts import KINDS as LASERFICHE
from export_pipeline.vendors.openers import NAMES_LISTED, open_pdf, open_text, open_zip

KINDS_OF = {kind.name: kind for kind in (*CLOUDCONVERT, *HOOKBRIDGE, *LASERFICHE)}


def packed(files: dict[str, bytes], **options: Any) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", **options) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return made.getvalue()


def locked_pdf() -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    writer.encrypt("a password", algorithm="RC4-128")
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()


def encrypted_zip() -> bytes:
    """A ZIP whose one file says that it is encrypted."""
    body = bytearray(packed({"a": b"secret"}))
    body[6] |= 1
    central = body.index(b"PK\x01\x02")
    body[central + 8] |= 1
    return bytes(body)


def test_a_zips_files_are_listed_by_name_and_folders_are_none() -> None:
    body = packed({"a/": b"", "a/b.txt": b"1", "../../etc/passwd": b"2", "ä\u2028": b"3"})
    told = open_zip(io.BytesIO(body))
    assert (told["files"], told["names"]) == (3, ["a/b.txt", "../../etc/passwd", "ä\u2028"])


def test_of_very_many_files_the_first_names_are_kept_and_all_are_counted() -> None:
    told = open_zip(io.BytesIO(packed({str(number): b"" for number in range(NAMES_LISTED + 5)})))
    assert (told["files"], len(told["names"])) == (NAMES_LISTED + 5, NAMES_LISTED)


def test_a_file_of_a_zip_that_is_not_as_its_checksum_says_is_found() -> None:
    body = packed({"a": b"x" * 1000})
    with pytest.raises(Unreadable, match="Bad CRC-32 for file 'a'"):
        open_zip(io.BytesIO(body.replace(b"xxxx", b"xyxx", 1)))


def test_what_would_unpack_to_more_than_is_tested_is_listed_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(openers, "TESTED_BYTES", 1_500)
    body = packed({"a": b"x" * 1000, "b": b"y" * 1000}).replace(b"yyyy", b"yzyy", 1)
    assert open_zip(io.BytesIO(body))["files"] == 2


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (KINDS_OF["edoc"], b"%PDF-1.4\nand then nothing"),
        (KINDS_OF["files"], packed({"a": b"x" * 1000})[:-30]),
        (KINDS_OF["text"], "Grüße".encode("latin-1")),
        (KINDS_OF["csv"], b"id,id\n1,2\n"),
        (KINDS_OF["csv"], b""),
    ],
)
def test_a_flaw_of_what_others_made_is_a_doubt(kind: ArtifactKind, body: bytes) -> None:
    with pytest.raises(Doubtful):
        kind.opener(io.BytesIO(body))


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_each_way_of_packing_is_tested_and_broken_packing_is_found(method: int) -> None:
    body = packed({"a": bytes(range(256)) * 50}, compression=method)
    assert open_zip(io.BytesIO(body))["files"] == 1
    broken = body[:40] + b"\xff" * 20 + body[60:]
    with pytest.raises(Unreadable, match="not a readable ZIP"):
        open_zip(io.BytesIO(broken))


def test_of_an_encrypted_file_the_name_alone_is_read() -> None:
    assert open_zip(io.BytesIO(encrypted_zip())) == {"files": 1, "names": ["a"]}


def test_an_encrypted_pdf_opens_where_flaws_are_put_up_with() -> None:
    assert open_pdf(io.BytesIO(locked_pdf()), strict=False) == {"encrypted": True}
    with pytest.raises(Unreadable, match="not a readable PDF"):
        open_pdf(io.BytesIO(locked_pdf()))


@pytest.mark.parametrize(
    ("body", "encoding", "characters"),
    [
        (b"", "utf-8", 0),
        ("äöü €".encode(), "utf-8", 5),
        ("äöü".encode("utf-8-sig"), "utf-8", 3),
        ("äöü".encode("utf-16"), "utf-16", 3),
        (b"\xfe\xff" + "äöü".encode("utf-16-be"), "utf-16", 3),
        ("ä€".encode("utf-32"), "utf-32", 2),
        (b"x" * (1 << 20) + "€".encode() * 10, "utf-8", (1 << 20) + 10),
    ],
)
def test_a_text_is_decoded_as_its_mark_says(body: bytes, encoding: str, characters: int) -> None:
    assert open_text(io.BytesIO(body)) == {"encoding": encoding, "characters": characters}


@pytest.mark.parametrize("body", [b"\xff", "ä€".encode()[:-1], "äö".encode("utf-16")[:-1]])
def test_a_text_that_is_cut_off_or_of_another_encoding_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable, match="not a text in"):
        open_text(io.BytesIO(body))
