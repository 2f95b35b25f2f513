import base64
import json
from typing import Any

import httpx
import jwt
import pytest

from export_pipeline.sandbox import SteppedClock
from export_pipeline.sandbox.laserfiche import Account, LaserficheOptions
from export_pipeline_tests.sandbox.laserfiche.api import Api
from export_pipeline_tests.sandbox.laserfiche.conftest import StartApi


def key(api: Api) -> dict[str, Any]:
    return json.loads(base64.b64decode(api.sandbox.addresses["laserfiche_access_key"]))


def assertion(api: Api, now: float, **changes: Any) -> str:
    access_key = key(api)
    claims = {
        "client_id": access_key["clientId"],
        "client_secret": "a service principal key",
        "aud": "laserfiche.com",
        "iat": int(now),
        "nbf": int(now),
        "exp": int(now) + 3600,
    } | changes
    signing = jwt.PyJWK(access_key["jwk"], algorithm="ES256").key
    return jwt.encode(claims, signing, "ES256", headers={"kid": access_key["jwk"]["kid"]})


def cloud_login(api: Api, credential: str, **changes: str) -> httpx.Response:
    form = {"grant_type": "client_credentials", "scope": "repository.Read"} | changes
    headers = {"Authorization": f"Bearer {credential}"}
    return httpx.post(api.sandbox.addresses["laserfiche_token_url"], data=form, headers=headers)


def test_a_user_gets_a_token_of_a_quarter_of_an_hour(
    start_api: StartApi, clock: SteppedClock
) -> None:
    api = start_api(clock)
    told = api.login().json()
    assert (told["token_type"], told["expires_in"]) == ("bearer", 900)
    assert api.call("GET", "/AuditReasons").status_code == 200
    clock.advance(900)
    assert api.call("GET", "/AuditReasons").status_code == 401


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"password": "wrong"}, 401), ({"username": "nobody"}, 401), ({"grant_type": "x"}, 400)],
)
def test_a_wrong_login_is_a_problem(api: Api, changes: dict[str, str], status: int) -> None:
    answer = api.login(**changes)
    assert answer.status_code == status
    assert answer.json()["status"] == status


def test_a_service_app_gets_a_token_of_12_hours_for_its_assertion(
    start_api: StartApi, clock: SteppedClock
) -> None:
    api = start_api(clock)
    told = cloud_login(api, assertion(api, clock.now())).json()
    assert (told["token_type"], told["expires_in"]) == ("bearer", 43_200)
    assert told["scope"] == "repository.Read"
    api.token = told["access_token"]
    assert api.call("GET", "/AuditReasons").status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "elsewhere.com"},
        {"client_id": "another"},
        {"client_secret": ""},
        {"exp": 1},
        {"nbf": 9_999_999_999},
    ],
)
def test_an_assertion_that_does_not_hold_is_refused(
    start_api: StartApi, clock: SteppedClock, changes: dict[str, Any]
) -> None:
    api = start_api(clock)
    answer = cloud_login(api, assertion(api, clock.now(), **changes))
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"


def test_an_assertion_that_another_key_signed_is_refused(api: Api) -> None:
    others = {**key(api), "jwk": {}}
    forged = jwt.encode({"client_id": others["clientId"], "aud": "laserfiche.com"}, "x" * 32)
    assert cloud_login(api, forged).status_code == 401


def test_a_service_key_is_checked_where_the_account_has_one(start_api: StartApi) -> None:
    api = start_api(accounts=(Account(service_key="the-one"),))
    now = api.sandbox._clock.now()
    assert cloud_login(api, assertion(api, now)).status_code == 401
    assert cloud_login(api, assertion(api, now, client_secret="the-one")).status_code == 200


def test_another_grant_is_not_known(api: Api) -> None:
    answer = cloud_login(api, "x", grant_type="password")
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


def test_a_token_without_the_scope_may_ask_after_tasks_alone(api: Api) -> None:
    now = api.sandbox._clock.now()
    api.token = cloud_login(api, assertion(api, now), scope="repository.Write").json()[
        "access_token"
    ]
    assert api.call("GET", "/AuditReasons").status_code == 403
    assert api.call("GET", "/Tasks").status_code == 200


def test_no_secret_is_in_the_options_text() -> None:
    account = Account(service_key="the-service-key")
    text = repr(LaserficheOptions(accounts=(account,)))
    for secret in (account.password, account.service_key, str(account.key_number)):
        assert secret not in text
