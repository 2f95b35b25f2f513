"""The scans that are archived: 6 artifacts each, 20 KB, the PDF 200 KB."""

from dataclasses import replace

from export_pipeline.sandbox import ScanSpec
from export_pipeline.sandbox.copyleaks.orders import SINGLE_ARTIFACTS

FILE_BYTES = 20_000
PDF_BYTES = 200_000
ARTIFACTS = 1 + len(SINGLE_ARTIFACTS)
SIZES = {"results": FILE_BYTES, **dict.fromkeys(SINGLE_ARTIFACTS, FILE_BYTES)}
SIZES["pdfReport"] = PDF_BYTES


def scans(count: int, url: str, headers: tuple[tuple[str, str], ...]) -> list[ScanSpec]:
    """`count` scans that post their webhooks to `url`."""
    first = ScanSpec("", results=1, sizes=SIZES, status_url=url, status_headers=headers)
    return [replace(first, id=f"scan-{number:06}") for number in range(count)]
