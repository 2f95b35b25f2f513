import io
import json

import pypdf
import pytest

from export_pipeline.sandbox.copyleaks.artifacts import artifact_bytes
from export_pipeline.sandbox.pdf import pdf

# The keys that FACTS 1.10 gives each kind.
KEYS = {
    "results/0123456789": {"statistics", "text", "version"},
    "crawledVersion": {"metadata", "text", "version"},
    "aiDetection": {"modelVersion", "results", "summary", "explain"},
    "writingFeedback": {"scanType", "score", "corrections"},
    "overview": {"overview", "modelVersion"},
}


@pytest.mark.parametrize(("pages", "size"), [(1, 0), (3, 40_000), (12, 200_000)])
def test_a_pdf_opens_strictly_and_has_its_pages_and_size(pages, size):
    content = pdf(pages, size, "mark")

    reader = pypdf.PdfReader(io.BytesIO(content), strict=True)
    assert len(reader.pages) == pages
    assert f"Page {pages} of {pages}" in reader.pages[-1].extract_text()
    assert len(content) == size or size == 0


@pytest.mark.parametrize("artifact", KEYS)
@pytest.mark.parametrize("size", [2_000, 20_000])
def test_a_json_artifact_has_the_documented_keys_and_its_size(artifact, size):
    content = artifact_bytes("essay-1", artifact, size)

    assert json.loads(content).keys() == KEYS[artifact]
    assert len(content) == size


@pytest.mark.parametrize("artifact", [*KEYS, "pdfReport"])
def test_bytes_are_the_same_for_one_scan_and_differ_between_scans(artifact):
    assert artifact_bytes("essay-1", artifact) == artifact_bytes("essay-1", artifact)
    assert artifact_bytes("essay-1", artifact) != artifact_bytes("essay-2", artifact)
