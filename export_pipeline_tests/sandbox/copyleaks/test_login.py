import re
from datetime import datetime, timedelta

from export_pipeline.sandbox import ScanSpec, SteppedClock


def test_a_login_answers_a_token_of_48_hours_with_seven_digit_local_times(api):
    answer = api.login()

    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"access_token", ".issued", ".expires"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}\+02:00", body[".issued"])
    issued, expires = (datetime.fromisoformat(body[name]) for name in (".issued", ".expires"))
    assert expires - issued == timedelta(hours=48)


def test_a_wrong_key_or_email_is_refused_with_the_error_envelope(api):
    for wrong in ({"key": "00000000-0000-0000-0000-000000000000"}, {"email": "x@example.com"}):
        answer = api.login(**wrong)
        assert answer.status_code == 401
        assert answer.json()["error"]["type"] == "authentication_error"
        assert answer.json()["error"]["id"] == "invalid_credentials"


def test_the_key_is_required_and_the_email_is_not(api):
    assert api.login(key=None).json()["error"]["id"] == "missing_parameter"
    assert api.login(email=None).status_code == 200


def test_an_expired_token_is_a_problem_with_a_trace_id(start_api):
    clock = SteppedClock()
    api = start_api(clock)
    api.add(ScanSpec("essay-1"))
    assert api.export("essay-1").status_code == 204

    clock.advance(48 * 3600)
    answer = api.export("essay-1", "export-2")

    assert answer.status_code == 401
    assert answer.json()["title"] == "Unauthorized"
    assert answer.json()["traceId"] == answer.headers["X-Request-Id"]


def test_a_call_without_a_token_is_refused(api):
    answer = api.call("POST", "/v3/scans/abc/webhooks/resend", headers={"Authorization": ""})

    assert answer.status_code == 401


def test_the_13th_login_in_15_minutes_is_refused(start_api):
    clock = SteppedClock()
    api = start_api(clock, pace="documented")
    assert [api.login().status_code for _ in range(13)] == [200] * 12 + [429]

    clock.advance(899.9)
    assert api.login().status_code == 429
    clock.advance(0.1)
    assert api.login().status_code == 200
    assert api.sandbox.stats()["limited"] == {"logins_per_15_minutes": 2}
