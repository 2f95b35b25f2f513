from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export_pipeline.ledger.inbox import SCANS
from export_pipeline.receiver.addresses import TOKEN_HEADER, UPLOADS, Addresses

BASE = "https://receiver.example/export"
OURS = Addresses(BASE + "/", ("current",))


def token_of(addresses, *, order="order", artifact="a.json"):
    return dict(addresses.upload(order, artifact).headers)[TOKEN_HEADER]


def test_the_scan_webhook_keeps_the_vendors_placeholder_as_it_is():
    target = OURS.scan_webhook("copyleaks", "default")
    assert (target.verb, target.url) == (
        "POST",
        f"{BASE}/hooks/copyleaks/default/scans/{{STATUS}}",
    )
    token = dict(target.headers)[TOKEN_HEADER]
    assert OURS.is_genuine(token, SCANS, "copyleaks", "default")


def test_no_token_stands_in_a_url_or_a_repr():
    target = OURS.upload("order", "results/a=2f.json")
    token = dict(target.headers)[TOKEN_HEADER]
    assert token not in target.url
    assert token not in repr(target)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_artifact_name_comes_back_from_its_url(name):
    url = urlsplit(OURS.upload("order", name).url)
    assert unquote(url.path) == f"/export/uploads/order/{name}"
    assert (url.query, url.fragment) == ("", "")


def test_a_token_of_the_previous_secret_is_accepted_and_one_before_it_is_not():
    rotated = Addresses(BASE, ("newest", "current"))
    assert rotated.is_genuine(token_of(OURS), UPLOADS, "order", "a.json")
    assert token_of(rotated) != token_of(OURS)
    twice = Addresses(BASE, ("third", "newest"))
    assert not twice.is_genuine(token_of(OURS), UPLOADS, "order", "a.json")


@pytest.mark.parametrize(
    "what",
    [
        (UPLOADS, "order", "b.json"),
        (UPLOADS, "other", "a.json"),
        (UPLOADS, "ordera", ".json"),
        (UPLOADS, "order/a.json"),
        (SCANS, "order", "a.json"),
    ],
)
def test_a_token_is_good_for_its_own_purpose_and_parts_only(what):
    assert OURS.is_genuine(token_of(OURS), UPLOADS, "order", "a.json")
    assert not OURS.is_genuine(token_of(OURS), *what)


@pytest.mark.parametrize("token", [None, "", "x", "é\udc80", "="])
def test_no_token_and_a_garbled_one_are_not_genuine(token):
    assert not OURS.is_genuine(token, UPLOADS, "order", "a.json")
