"""The body of an export call, validated as seed 000 and FACTS 1.4 state it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from export_pipeline.sandbox.copyleaks.errors import EnvelopeError, invalid

SINGLE_ARTIFACTS = ("crawledVersion", "pdfReport", "aiDetection", "writingFeedback", "overview")
FIELDS = {
    "completionWebhook",
    "completionWebhookHeaders",
    "maxRetries",
    "developerPayload",
    "results",
    *SINGLE_ARTIFACTS,
}
TARGET_FIELDS = {"verb", "endpoint", "headers"}

# Seed 000; the payload's limit is the official SDKs' (FACTS 1.4).
RESULTS_PER_EXPORT = 1000
MIN_RETRIES, MAX_RETRIES, DEFAULT_RETRIES = 1, 12, 3
PAYLOAD_CHARACTERS = 512
# FACTS 1.3; the older page allows capitals.
ID_PATTERN = re.compile(r"""[a-zA-Z0-9!@$^&\-+%=_(){}<>';:/.",~`|]{3,36}""")
VERBS = {"POST", "PUT", "PATCH"}
HEADERS_RULE = "must be an array of [name, value] arrays of strings."
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Target:
    """Where one artifact goes; `artifact` is its field's name, or `results/<id>`."""

    artifact: str
    verb: str
    endpoint: str
    headers: Headers


@dataclass(frozen=True)
class ExportOrder:
    """One export call."""

    targets: list[Target]
    completion_webhook: str
    completion_headers: Headers
    max_retries: int
    developer_payload: str | None


def check_id(param: str, value: str) -> None:
    """Raise a 400 unless `value` is 3 to 36 of the allowed characters."""
    if not ID_PATTERN.fullmatch(value):
        raise invalid([(param, f"'{param}' must be 3 to 36 characters of the allowed set.")])


def header_pairs(value: object) -> Headers | None:
    """The pairs of a list of two-element lists, none for null; None if it is anything else."""
    pairs = [] if value is None else value
    if not isinstance(pairs, list) or not all(map(_is_header, pairs)):
        return None
    return [(name, text) for name, text in pairs]


def read_order(body: object) -> ExportOrder:
    """The order in `body`, or a 400 envelope with a detail for every problem found."""
    return _Reader().order(body)


class _Reader:
    """Gathers every problem of one body; readers return a harmless value after noting one."""

    def __init__(self) -> None:
        self.problems: list[tuple[str, str]] = []
        self.missing = False

    def order(self, body: object) -> ExportOrder:
        fields = self.known_fields("body", body, FIELDS)
        order = ExportOrder(
            targets=[*self.results(fields.get("results")), *self.singles(fields)],
            completion_webhook=self.url("completionWebhook", fields.get("completionWebhook")),
            completion_headers=self.headers("completionWebhookHeaders", fields),
            max_retries=self.retries(fields.get("maxRetries")),
            developer_payload=self.payload(fields.get("developerPayload")),
        )
        if self.problems:
            raise self.error()
        return order

    def error(self) -> EnvelopeError:
        return invalid(self.problems, missing=self.missing)

    def problem(self, param: str, message: str) -> None:
        self.problems.append((param, f"'{param}' {message}"))

    def known_fields(self, param: str, value: object, known: set[str]) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            self.problem(param, "must be an object.")
            return {}
        for name in sorted(value.keys() - known):
            self.problem(f"{param}.{name}", "is not a known field.")
        return value

    def required_text(self, param: str, value: object) -> str:
        if value is None:
            self.missing = True
            self.problem(param, "is required.")
        elif not isinstance(value, str) or not value:
            self.problem(param, "must be a non-empty string.")
        else:
            return value
        return ""

    def url(self, param: str, value: object) -> str:
        text = self.required_text(param, value)
        if text and not is_http_url(text):
            self.problem(param, "must be an absolute http or https URI.")
        return text

    def verb(self, param: str, value: object) -> str:
        text = self.required_text(param, value)
        if text and text.upper() not in VERBS:
            self.problem(param, f"must be one of {', '.join(sorted(VERBS))}.")
        return text.upper()

    def headers(self, param: str, fields: Mapping[str, Any]) -> Headers:
        headers = header_pairs(fields.get(param.rpartition(".")[2]))
        if headers is None:
            self.problem(param, HEADERS_RULE)
        return headers or []

    def retries(self, value: object) -> int:
        if value is None:
            return DEFAULT_RETRIES
        if type(value) is not int or not MIN_RETRIES <= value <= MAX_RETRIES:
            self.problem("maxRetries", f"must be an integer from {MIN_RETRIES} to {MAX_RETRIES}.")
            return DEFAULT_RETRIES
        return value

    def payload(self, value: object) -> str | None:
        if value is None or (isinstance(value, str) and len(value) <= PAYLOAD_CHARACTERS):
            return value
        self.problem("developerPayload", f"must be a string of at most {PAYLOAD_CHARACTERS}.")
        return None

    def results(self, value: object) -> list[Target]:
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > RESULTS_PER_EXPORT:
            self.problem("results", f"must be an array of at most {RESULTS_PER_EXPORT} items.")
            return []
        return [self.result(f"results[{index}]", item) for index, item in enumerate(value)]

    def result(self, param: str, value: object) -> Target:
        fields = self.known_fields(param, value, {"id", *TARGET_FIELDS})
        result_id = self.required_text(f"{param}.id", fields.get("id"))
        return self.target(f"results/{result_id}", param, fields)

    def singles(self, fields: Mapping[str, Any]) -> list[Target]:
        given = [name for name in SINGLE_ARTIFACTS if fields.get(name) is not None]
        return [
            self.target(name, name, self.known_fields(name, fields[name], TARGET_FIELDS))
            for name in given
        ]

    def target(self, artifact: str, param: str, fields: Mapping[str, Any]) -> Target:
        return Target(
            artifact,
            self.verb(f"{param}.verb", fields.get("verb")),
            self.url(f"{param}.endpoint", fields.get("endpoint")),
            self.headers(f"{param}.headers", fields),
        )


def is_http_url(text: str) -> bool:
    """Whether `text` is an absolute http or https URI."""
    try:
        parts = urlsplit(text)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and has_host and " " not in text


def _is_header(value: object) -> bool:
    match value:
        case [str(name), str(text)]:
            return bool(HEADER_NAME.fullmatch(name)) and not set("\r\n\0") & set(text)
    return False
