"""Small valid images, written by hand so that their pages are exact."""

import struct
import zlib

_WIDTH = _HEIGHT = 8
_PIXELS = bytes.fromhex("ff818181818181ff")
_SHORT, _LONG, _ASCII = 3, 4, 2
_ENTRY_BYTES = 12
# A grey JPEG of one pixel: quantisation and Huffman tables, and one block.
_JPEG_HEAD = bytes.fromhex("ffd8ffe000104a46494600010100000100010000")
_JPEG_TAIL = bytes.fromhex(
    "ffdb004300" + "01" * 64 + "ffc0000b080001000101011100"
    "ffc4001400010000000000000000000000000000000009"
    "ffc40014100100000000000000000000000000000000"
    "ffda0008010100003f0054bfffd9"
)


def tiff(marks: list[str]) -> bytes:
    """A TIFF with a page for each of `marks` (ASCII), which stands in its description."""
    body = bytearray(b"II*\0\0\0\0\0")
    link = 4
    for mark in marks:
        text = mark.encode("ascii") + b"\0"
        text_at, strip_at = len(body), len(body) + len(text)
        body += text + _PIXELS
        body += b"\0" * (len(body) % 2)
        struct.pack_into("<I", body, link, len(body))
        entries = [
            (256, _SHORT, 1, _WIDTH),
            (257, _SHORT, 1, _HEIGHT),
            (258, _SHORT, 1, 1),
            (259, _SHORT, 1, 1),
            (262, _SHORT, 1, 1),
            (270, _ASCII, len(text), text_at),
            (273, _LONG, 1, strip_at),
            (277, _SHORT, 1, 1),
            (278, _SHORT, 1, _HEIGHT),
            (279, _LONG, 1, len(_PIXELS)),
        ]
        body += struct.pack("<H", len(entries))
        body += b"".join(struct.pack("<HHII", *entry) for entry in entries)
        link = len(body)
        body += b"\0\0\0\0"
    return bytes(body)


def png(mark: str) -> bytes:
    """A PNG of 8 by 8 pixels with `mark` (ASCII) as its comment."""
    header = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 1, 0, 0, 0, 0)
    rows = b"".join(b"\0" + _PIXELS[row : row + 1] for row in range(_HEIGHT))
    comment = b"Comment\0" + mark.encode("ascii")
    chunks = [(b"IHDR", header), (b"tEXt", comment), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def jpeg(mark: str) -> bytes:
    """A JPEG of one pixel with `mark` (ASCII) as its comment."""
    comment = mark.encode("ascii")
    return _JPEG_HEAD + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + _JPEG_TAIL


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
