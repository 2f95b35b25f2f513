import base64
import json
from typing import Any

import jwt
import pytest
from pydantic import SecretStr

from export_pipeline.errors import ConfigError
from export_pipeline.sandbox.laserfiche import Account
from export_pipeline.sandbox.laserfiche.accounts import access_key
from export_pipeline.vendors.laserfiche.access_key import CLOCK_SKEW_SECONDS, AccessKey
from export_pipeline.vendors.laserfiche.models import Part
from export_pipeline.vendors.laserfiche.options import PREFIX, LaserficheAccount, LaserficheOptions
from export_pipeline.vendors.options import read_accounts, read_options

KEY = access_key(Account())
SELF_HOSTED = {
    "EXPORT_LASERFICHE_REPOSITORY": "Sales",
    "EXPORT_LASERFICHE_URL": "https://lf.example.com/LFRepositoryAPI/",
    "EXPORT_LASERFICHE_USERNAME": "archivist",
    "EXPORT_LASERFICHE_PASSWORD": "a-password-9431",
}
CLOUD = {
    "EXPORT_LASERFICHE_REPOSITORY": "r-abc123",
    "EXPORT_LASERFICHE_ACCESS_KEY": KEY,
    "EXPORT_LASERFICHE_SERVICE_KEY": "a-service-key-9431",
}


def account(variables: dict[str, str]) -> LaserficheAccount:
    (found,), wrong = read_accounts(PREFIX, LaserficheAccount, variables)
    assert not wrong
    return found


def key(**changes: Any) -> str:
    told = {**json.loads(base64.b64decode(KEY)), **changes}
    return base64.b64encode(json.dumps(told).encode()).decode()


def test_a_self_hosted_account_has_its_servers_address() -> None:
    assert account(SELF_HOSTED).base_url == "https://lf.example.com/LFRepositoryAPI"


def test_a_cloud_account_has_the_address_of_its_keys_region() -> None:
    assert account(CLOUD).base_url == "https://api.laserfiche.com/repository"
    european = {**CLOUD, "EXPORT_LASERFICHE_ACCESS_KEY": key(domain="eu.laserfiche.com")}
    assert account(european).base_url == "https://api.eu.laserfiche.com/repository"


def test_further_accounts_have_their_names_in_their_variables() -> None:
    others = {name.replace("FICHE_", "FICHE_EU_WEST_"): one for name, one in CLOUD.items()}
    found, _ = read_accounts(
        PREFIX, LaserficheAccount, {**SELF_HOSTED, **others, f"{PREFIX}ACCOUNTS": "eu-west"}
    )
    assert [one.name for one in found] == ["default", "eu-west"]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({**SELF_HOSTED, "EXPORT_LASERFICHE_PASSWORD": ""}, "EXPORT_LASERFICHE_PASSWORD are set"),
        ({**SELF_HOSTED, **CLOUD}, "one of them, and whole"),
        ({"EXPORT_LASERFICHE_REPOSITORY": "r"}, "EXPORT_LASERFICHE_ACCESS_KEY"),
        (
            {**SELF_HOSTED, "EXPORT_LASERFICHE_REPOSITORY": ""},
            "EXPORT_LASERFICHE_REPOSITORY is not set: account 'default' needs it",
        ),
        ({**SELF_HOSTED, "EXPORT_LASERFICHE_URL": "lf.example.com"}, "EXPORT_LASERFICHE_URL: "),
        ({**SELF_HOSTED, "EXPORT_LASERFICHE_URL": "https://u:p@x/y"}, "EXPORT_LASERFICHE_URL: "),
        ({**SELF_HOSTED, "EXPORT_LASERFICHE_FOLDER": "0"}, "EXPORT_LASERFICHE_FOLDER: "),
        ({**SELF_HOSTED, "EXPORT_LASERFICHE_ONE_TASK": "x"}, "EXPORT_LASERFICHE_ONE_TASK: "),
        ({**CLOUD, "EXPORT_LASERFICHE_ACCESS_KEY": "!"}, "it is not base64 of JSON"),
        ({**CLOUD, "EXPORT_LASERFICHE_ACCESS_KEY": "W10="}, "a valid dictionary"),
        ({**CLOUD, "EXPORT_LASERFICHE_ACCESS_KEY": key(domain="a/../b%2f")}, "domain: "),
        ({**CLOUD, "EXPORT_LASERFICHE_ACCESS_KEY": key(jwk={})}, "no private key"),
        (
            {**CLOUD, "EXPORT_LASERFICHE_ACCESS_KEY": key(jwk={"d": "x", "kid": "k"})},
            "not an EC key on the curve P-256",
        ),
    ],
)
def test_a_variable_that_cannot_be_used_is_named_and_never_shown(
    variables: dict[str, str], said: str
) -> None:
    found, wrong = read_accounts(PREFIX, LaserficheAccount, variables)
    assert not found
    assert said in wrong["default"]
    for secret in ("a-password-9431", "a-service-key-9431", KEY):
        assert secret not in wrong["default"]


def test_no_secret_is_in_an_accounts_text() -> None:
    private = json.loads(base64.b64decode(KEY))["jwk"]["d"]
    text = repr(account(CLOUD)) + repr(account(SELF_HOSTED))
    for secret in ("a-password-9431", "a-service-key-9431", KEY, private):
        assert secret not in text


def test_an_assertion_is_signed_by_the_key_and_ends_soon() -> None:
    now = 1_700_000_000
    made = AccessKey.from_text(KEY).assertion(SecretStr("a-service-key-9431"), now)
    jwk = json.loads(base64.b64decode(KEY))["jwk"]
    public = jwt.PyJWK({name: one for name, one in jwk.items() if name != "d"}, algorithm="ES256")
    claims = jwt.decode(
        made,
        public.key,
        algorithms=["ES256"],
        audience="laserfiche.com",
        options={"verify_exp": False},
    )
    assert jwt.get_unverified_header(made) == {"alg": "ES256", "typ": "JWT", "kid": jwk["kid"]}
    assert claims["client_secret"] == "a-service-key-9431"
    assert claims["client_id"] == json.loads(base64.b64decode(KEY))["clientId"]
    assert claims["iat"] == claims["nbf"] == now - CLOCK_SKEW_SECONDS
    assert 60 <= claims["exp"] - now <= 3600


def test_options_are_read_in_the_vendors_own_words() -> None:
    found = read_options(
        LaserficheOptions,
        {
            "EXPORT_LASERFICHE_PARTS": "Image, Edoc",
            "EXPORT_LASERFICHE_OPTIONS": '{"imageOptions": {"format": "PDF"}, "pageRange": "1"}',
        },
    )
    assert found.parts == (Part.IMAGE, Part.EDOC)
    assert found.export is not None
    assert found.export.page_range == "1"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("EXPORT_LASERFICHE_PARTS", "image"),
        ("EXPORT_LASERFICHE_OPTIONS", "{"),
        ("EXPORT_LASERFICHE_OPTIONS", '{"imageOptions": {"format": "GIF"}}'),
        ("EXPORT_LASERFICHE_EXPORTS_PER_MINUTE", "0"),
        ("EXPORT_LASERFICHE_SYNC_BYTES", "-1"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(variable: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"^{variable}[.:]"):
        read_options(LaserficheOptions, {variable: value})
