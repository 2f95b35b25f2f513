"""A small valid PDF, written by hand so that its size and pages are exact."""

from functools import lru_cache

MARK_LENGTH = 64
_PLACEHOLDER = b"@" * MARK_LENGTH


def pdf(pages: int, size: int = 0, mark: str = "") -> bytes:
    """A PDF of `pages` pages and `size` bytes (its least size if that is more).

    `mark` (ASCII letters and digits, `MARK_LENGTH` at most) stands in its metadata, so that two
    documents of one shape differ.
    """
    return _template(pages, size).replace(_PLACEHOLDER, mark.ljust(MARK_LENGTH).encode("ascii"))


@lru_cache(maxsize=32)
def _template(pages: int, size: int) -> bytes:
    body = b"%PDF-1.4\n"
    offsets = []
    objects = _objects(pages)
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    tail = _tail(offsets, 0)
    # A comment may stand between objects and table: it pads without touching any offset before it.
    room = size - len(body) - len(tail) - len(b"%\n")
    if room >= 0:
        body += b"%" + b" " * room + b"\n"
    return body + _tail(offsets, len(body))


def _objects(pages: int) -> list[bytes]:
    first_page = 5
    kids = b" ".join(b"%d 0 R" % (first_page + 2 * page) for page in range(pages))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%b] /Count %d >>" % (kids, pages),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Title (Report) /Keywords (%b) >>" % _PLACEHOLDER,
    ]
    for page in range(pages):
        text = b"BT /F1 12 Tf 72 720 Td (Page %d of %d) Tj ET" % (page + 1, pages)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] "
            b"/Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>"
            % (first_page + 2 * page + 1)
        )
        objects.append(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(text), text))
    return objects


def _tail(offsets: list[int], start: int) -> bytes:
    count = len(offsets) + 1
    entries = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return (
        b"xref\n0 %d\n0000000000 65535 f \n%b" % (count, entries)
        + b"trailer\n<< /Size %d /Root 1 0 R /Info 4 0 R >>\n" % count
        + b"startxref\n%010d\n%%%%EOF\n" % start
    )
