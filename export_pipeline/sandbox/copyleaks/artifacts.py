"""The bytes of every artifact in the shapes of FACTS 1.10, the same on every call for a scan."""

import hashlib
import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from export_pipeline.sandbox.pdf import pdf

DEFAULT_BYTES = {
    "results": 4_000,
    "crawledVersion": 8_000,
    "aiDetection": 3_000,
    "writingFeedback": 3_000,
    "overview": 2_000,
    "pdfReport": 40_000,
}
PDF_PAGES = 3
FORMAT_VERSION = 1
WORDS = "the archive keeps every report of a scan as it was sent and proves it byte by byte "

Json = dict[str, Any]


def content_type(artifact: str) -> str:
    """What the vendor says that the artifact is."""
    return "application/pdf" if artifact == "pdfReport" else "application/json"


def artifact_bytes(scan_id: str, artifact: str, size: int | None = None) -> bytes:
    """The artifact, `size` bytes long (its least length if that is more)."""
    kind = artifact.partition("/")[0]
    size = DEFAULT_BYTES[kind] if size is None else size
    mark = hashlib.sha256(f"{scan_id}\0{artifact}".encode()).hexdigest()
    if kind == "pdfReport":
        return pdf(PDF_PAGES, size, mark)
    return _json_bytes(SHAPES[kind], size, mark)


def _json_bytes(shape: Callable[[str, int], Json], size: int, mark: str) -> bytes:
    least = len(json.dumps(shape(mark, 0)))
    body = json.dumps(shape(mark, max(0, size - least))).encode()
    # White space after the value is still JSON; it makes the size exact.
    return body.ljust(size)


@lru_cache(maxsize=64)
def _filler(length: int) -> str:
    return (WORDS * (length // len(WORDS) + 1))[:length]


def _text(mark: str, room: int) -> str:
    return f"{mark} {_filler(room)}"


def _span(starts: list[int], lengths: list[int]) -> Json:
    return {"starts": starts, "lengths": lengths}


def _number(mark: str, below: int) -> int:
    return int(mark[:8], 16) % below


def _comparison(mark: str, shift: int) -> Json:
    start = _number(mark[shift:], 40)
    side = {"chars": _span([start], [12]), "words": _span([start // 6], [2])}
    return {"source": side, "suspected": side}


def _result(mark: str, room: int) -> Json:
    return {
        "statistics": {
            "identical": _number(mark, 90),
            "minorChanges": _number(mark[8:], 30),
            "relatedMeaning": _number(mark[16:], 30),
        },
        "text": {
            "value": _text(mark, room),
            "pages": {"startPosition": [0]},
            "comparison": {
                "identical": _comparison(mark, 0),
                "minorChanges": _comparison(mark, 8),
                "relatedMeaning": _comparison(mark, 16),
            },
        },
        "version": FORMAT_VERSION,
    }


def _crawled_version(mark: str, room: int) -> Json:
    exclude = {**_span([0], [64]), "reasons": [3]}
    text = _text(mark, room)
    return {
        "metadata": {"words": 1_200, "excluded": 1},
        "text": {"value": text, "exclude": exclude, "pages": {"startPosition": [0]}},
        "version": FORMAT_VERSION,
    }


def _ai_detection(mark: str, room: int) -> Json:
    human = _number(mark, 100) / 100
    # Four lists of numbers of at most seven digits, each followed by a comma and a space.
    count = room // 36
    starts = [_number(mark, 9) + 60 * index for index in range(count)]
    lengths = [7] * count
    words = {"chars": _span(starts, lengths), "words": _span(starts, lengths)}
    return {
        "modelVersion": "v7.1",
        "results": [
            {
                "classification": 2,
                "probability": 1,
                "matches": [
                    {
                        "text": {"chars": _span([0], [1509]), "words": _span([0], [221])},
                        "html": None,
                    }
                ],
            }
        ],
        "summary": {"human": human, "ai": round(1 - human, 2)},
        "explain": {
            "patterns": {
                "statistics": {"aiCount": [_number(mark, 99)], "humanCount": [1]},
                "text": words,
            }
        },
    }


def _writing_feedback(mark: str, room: int) -> Json:
    # Per correction: two small numbers, a position of at most seven digits and a word.
    count = room // 26
    return {
        "scanType": "sandbox",
        "score": {
            "corrections": _correction_scores(mark),
            "readability": {
                "score": _number(mark, 100),
                "readabilityLevel": 5,
                "readabilityLevelText": "College",
                "readabilityLevelDescription": "Difficult to read.",
            },
            "statistics": {
                "sentenceCount": 12,
                "averageSentenceLength": 14.5,
                "averageWordLength": 4.7,
                "readingTimeSeconds": 52.0,
                "speakingTimeSeconds": 80.0,
            },
        },
        "corrections": {
            "text": {
                "chars": {
                    "types": [4] * count,
                    "starts": [_number(mark, 9) + 40 * index for index in range(count)],
                    "lengths": [5] * count,
                    "operationTexts": ["loves"] * count,
                }
            }
        },
    }


def _correction_scores(mark: str) -> Json:
    scores: Json = {}
    for index, kind in enumerate(("grammar", "mechanics", "sentenceStructure", "wordChoice")):
        scores[f"{kind}CorrectionsCount"] = _number(mark[8 * index :], 20)
        scores[f"{kind}CorrectionsScore"] = _number(mark[8 * index + 4 :], 101)
        scores[f"{kind}ScoreWeight"] = 1.0
    return {**scores, "overallScore": _number(mark[40:], 101)}


def _overview(mark: str, room: int) -> Json:
    return {"overview": f"### Overview\n\n{_text(mark, room)}", "modelVersion": "v1"}


SHAPES: dict[str, Callable[[str, int], Json]] = {
    "results": _result,
    "crawledVersion": _crawled_version,
    "aiDetection": _ai_detection,
    "writingFeedback": _writing_feedback,
    "overview": _overview,
}
