import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export_pipeline.vendors.redaction import REDACTED, SHORTEST_SECRET_CHARACTERS, redact

SECRETS = st.text(min_size=SHORTEST_SECRET_CHARACTERS, max_size=40).filter(
    lambda text: text.strip() == text and text not in REDACTED
)


@given(secret=SECRETS, before=st.text(max_size=20), after=st.text(max_size=20))
def test_a_secret_goes_in_whatever_form_it_is_quoted(secret: str, before: str, after: str) -> None:
    for form in (secret, json.dumps(secret)[1:-1]):
        assert form not in redact(before + form + after, [secret]).replace(REDACTED, "")


def test_a_secret_goes_when_it_is_percent_encoded() -> None:
    secret = "pass/word+with=signs"
    assert quote(secret, safe="") not in redact(f"at {quote(secret, safe='')}", [secret])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "cannot PUT 'https://bucket.example/a/b.pdf?X-Sig=abc' now",
            "cannot PUT 'https://bucket.example/[redacted]' now",
        ),
        ("https://user:pw@host.example:8443/x#y", "https://host.example:8443/[redacted]"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [redacted]"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_urls_keep_their_origin_and_schemes_lose_their_token(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_a_short_value_is_no_secret() -> None:
    assert redact("1 of 10 uploads by PUT", ["1", "PUT"]) == "1 of 10 uploads by PUT"
