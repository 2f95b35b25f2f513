import io
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export_pipeline.errors import Unreadable
from export_pipeline.sandbox.images import tiff
from export_pipeline.vendors.laserfiche.images import count_tiff_pages, open_image


def counted(body: bytes) -> int:
    return count_tiff_pages(io.BytesIO(body))


def motorola(pages: int) -> bytes:
    """A TIFF of directories without entries, the most significant byte first."""
    body = b"MM\0*" + struct.pack(">I", 8)
    for page in range(1, pages + 1):
        following = 8 + 6 * page if page < pages else 0
        body += struct.pack(">HI", 0, following)
    return body


def big(pages: int) -> bytes:
    """A BigTIFF of directories without entries."""
    body = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16)
    for page in range(1, pages + 1):
        following = 16 + 16 * page if page < pages else 0
        body += struct.pack("<QQ", 0, following)
    return body


@pytest.mark.parametrize("pages", [1, 2, 500])
def test_every_byte_order_and_size_of_tiff_is_counted(pages: int) -> None:
    assert counted(tiff(["x"] * pages)) == counted(motorola(pages)) == counted(big(pages)) == pages


def test_a_chain_that_leads_round_in_a_circle_ends() -> None:
    body = motorola(3)[:-4] + struct.pack(">I", 8)
    with pytest.raises(Unreadable, match="circle"):
        counted(body)


def test_a_chain_that_leads_out_of_the_file_ends() -> None:
    with pytest.raises(Unreadable, match="cut off"):
        counted(motorola(1)[:-4] + struct.pack(">I", 1 << 31))


@given(st.binary(max_size=300), st.integers(0, 420))
def test_no_bytes_lead_to_another_error(junk: bytes, cut: int) -> None:
    whole = tiff(["a", "b", "c"])
    for body in (whole[:cut] + junk, junk, whole[:cut] + junk + whole[cut + len(junk) :]):
        with suppress(Unreadable):
            assert open_image(io.BytesIO(body))["pages"] > 0
