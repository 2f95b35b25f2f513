"""The shapes of Copyleaks's JSON artifacts (FACTS 1.10): what an archived file must open as.

Keys are required as documented, `html` and what the documents call optional are not looked at, and
whatever else the vendor adds is fine.
"""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Shape(BaseModel):
    """A JSON object with at least these keys."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="ignore",
        hide_input_in_errors=True,
        protected_namespaces=(),
    )


class Spans(Shape):
    """Passages by position."""

    starts: list[int]
    lengths: list[int]


class Passages(Shape):
    """The same passages counted in characters and in words."""

    chars: Spans
    words: Spans


class Comparison(Shape):
    """Passages of the scanned document beside those of the source."""

    source: Passages
    suspected: Passages


class Comparisons(Shape):
    """The three degrees of likeness."""

    identical: Comparison
    minor_changes: Comparison
    related_meaning: Comparison


class Pages(Shape):
    """Where each page begins."""

    start_position: list[int]


class ResultText(Shape):
    """A source's text."""

    value: str
    pages: Pages
    comparison: Comparisons


class ResultStatistics(Shape):
    """Words alike."""

    identical: int
    minor_changes: int
    related_meaning: int


class ResultShape(Shape):
    """One result."""

    statistics: ResultStatistics
    text: ResultText
    version: int


class Excluded(Spans):
    """Passages left out of the scan."""

    reasons: list[int]


class CrawledText(Shape):
    """The scanned document's text."""

    value: str
    exclude: Excluded
    pages: Pages


class CrawledMetadata(Shape):
    """Counts of words."""

    words: int
    excluded: int


class CrawledVersionShape(Shape):
    """The crawled version."""

    metadata: CrawledMetadata
    text: CrawledText
    version: int


class AiMatch(Shape):
    """Passages of one classification."""

    text: Passages


class AiResult(Shape):
    """1 human, 2 AI."""

    classification: int
    matches: list[AiMatch]


class AiSummary(Shape):
    """Shares from 0 to 1."""

    human: float
    ai: float


class AiDetectionShape(Shape):
    """The AI detection report."""

    model_version: str
    results: list[AiResult]
    summary: AiSummary


class CorrectionSpans(Spans):
    """Passages with what to write instead."""

    types: list[int]
    operation_texts: list[str]


class CorrectionChars(Shape):
    """Corrections counted in characters."""

    chars: CorrectionSpans


class Corrections(Shape):
    """Corrections of the text."""

    text: CorrectionChars


class WritingFeedbackShape(Shape):
    """The grammar report; the documents' sample of an export has no score."""

    scan_type: str
    corrections: Corrections


class OverviewShape(Shape):
    """The overview, as markdown."""

    overview: str
    model_version: str
