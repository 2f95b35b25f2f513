import base64

import pytest

from export_pipeline.errors import ConfigError
from export_pipeline.settings import Settings
from export_pipeline.storage.http_put.options import HttpPutOptions
from export_pipeline.storage.open import open_store
from export_pipeline.storage.options import read_options

BASIC = {"EXPORT_HTTP_USERNAME": "us er", "EXPORT_HTTP_PASSWORD": "very-secret:ü"}
BEARER = {"EXPORT_HTTP_BEARER_TOKEN": "very-secret"}
HEADERS = {"EXPORT_HTTP_HEADERS": '{"X-Api-Key": "very-secret", "x-team": "research"}'}
LENT = {"EXPORT_CLOUDCONVERT_HTTP_HEADERS": '{"X-Api-Key": "lent-secret"}'}
CREATE_ONLY = {"EXPORT_HTTP_CREATE_ONLY": "true"}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"EXPORT_HTTP_USERNAME": "u"}, "EXPORT_HTTP_PASSWORD: set both or neither"),
        ({"EXPORT_HTTP_PASSWORD": "very-secret"}, "EXPORT_HTTP_USERNAME.*set both or neither"),
        ({**BASIC, "EXPORT_HTTP_USERNAME": "a:b"}, "EXPORT_HTTP_USERNAME: .*no colon"),
        ({**BASIC, **BEARER}, "EXPORT_HTTP_BEARER_TOKEN and EXPORT_HTTP_USERNAME: set only one"),
        (
            {**BEARER, "EXPORT_HTTP_HEADERS": '{"Authorization": "very-secret"}'},
            "EXPORT_HTTP_HEADERS has an Authorization",
        ),
        ({"EXPORT_HTTP_BEARER_TOKEN": "a\r\nb: c"}, "EXPORT_HTTP_BEARER_TOKEN.*header"),
        ({"EXPORT_HTTP_HEADERS": "very-secret"}, "EXPORT_HTTP_HEADERS: it is not JSON"),
        ({"EXPORT_HTTP_HEADERS": '["very-secret"]'}, "EXPORT_HTTP_HEADERS: .*dictionary"),
        ({"EXPORT_HTTP_HEADERS": '{"a b": "c"}'}, "EXPORT_HTTP_HEADERS: 'a b' is not a header"),
        ({"EXPORT_HTTP_HEADERS": '{"a": "é"}'}, "EXPORT_HTTP_HEADERS: it goes into a header"),
        ({"EXPORT_HTTP_HEADERS": '{"Host": "c"}'}, "EXPORT_HTTP_HEADERS: 'host' is set with each"),
        ({"EXPORT_HTTP_HEADERS": '{"If-Match": "c"}'}, "EXPORT_HTTP_HEADERS: 'if-match' is set"),
        ({"EXPORT_HTTP_CREATE_ONLY": "perhaps"}, "EXPORT_HTTP_CREATE_ONLY"),
        ({"EXPORT_HTTP_TOKEN": "very-secret"}, "EXPORT_HTTP_TOKEN"),
        (LENT, "EXPORT_CLOUDCONVERT_HTTP_HEADERS needs EXPORT_HTTP_CREATE_ONLY=true"),
        (
            {
                **HEADERS,
                **CREATE_ONLY,
                "EXPORT_CLOUDCONVERT_HTTP_HEADERS": '{"x-team": "research"}',
            },
            "EXPORT_CLOUDCONVERT_HTTP_HEADERS.*never given to a vendor",
        ),
        (
            {
                **BEARER,
                **CREATE_ONLY,
                "EXPORT_CLOUDCONVERT_HTTP_HEADERS": '{"Authorization": "Bearer very-secret"}',
            },
            "EXPORT_CLOUDCONVERT_HTTP_HEADERS.*never given to a vendor",
        ),
    ],
)
def test_what_is_impossible_is_refused_by_the_name_of_its_variable(
    wrong: dict[str, str], named: str
) -> None:
    with pytest.raises(ConfigError, match=named) as told:
        open_store("https://host/path", wrong)
    assert "very-secret" not in str(told.value)


@pytest.mark.parametrize(
    "url",
    ["https://", "https:///path", "https://user:secret@host/x", "https://h/x?a=b", "https://h/#x"],
)
def test_a_url_that_is_no_host_and_path_is_refused(url: str) -> None:
    with pytest.raises(
        ConfigError, match="EXPORT_STORAGE_URL: write it as https://host/path"
    ) as told:
        open_store(url)
    assert "secret" not in str(told.value)


def test_a_path_that_steps_up_is_refused() -> None:
    with pytest.raises(ConfigError, match="EXPORT_STORAGE_URL: the path"):
        open_store("https://host/a/../b")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://host", "https://host"),
        ("https://host:8443/a/", "https://host:8443/a"),
        ("http://[::1]:80/my archive/%C3%A9=2f", "http://[::1]:80/my%20archive/%C3%A9%3D2f"),
    ],
)
def test_the_url_names_the_folder(url: str, shown: str) -> None:
    assert open_store(url).url == shown


def test_each_way_to_be_let_in_is_a_header() -> None:
    login = base64.b64encode("us er:very-secret:ü".encode()).decode()
    assert read_options(HttpPutOptions, BASIC).own_headers() == {"authorization": f"Basic {login}"}
    assert read_options(HttpPutOptions, {**BEARER, **HEADERS}).own_headers() == {
        "authorization": "Bearer very-secret",
        "x-api-key": "very-secret",
        "x-team": "research",
    }
    assert read_options(HttpPutOptions, {}).own_headers() == {}


def test_it_is_create_only_if_it_is_said_to_be_and_never_signs() -> None:
    for variables, create_only in (({}, False), (CREATE_ONLY, True)):
        capabilities = open_store("https://host/path", variables).capabilities
        assert capabilities.create_only is create_only
        assert not capabilities.signs_uploads
        assert not capabilities.signs_downloads


@pytest.mark.parametrize("own", [BASIC, BEARER, HEADERS])
def test_credentials_over_plain_http_are_cautioned_of_unless_they_stay_here(
    own: dict[str, str],
) -> None:
    def cautions(url: str, variables: dict[str, str]) -> tuple[str, ...]:
        return open_store(url, variables).capabilities.cautions

    for url in ("http://host/path", "http://10.0.0.1:8080", "http://[2001:db8::1]/x"):
        assert "OVER PLAIN HTTP (EXPORT_STORAGE_URL)" in cautions(url, own)[0]
        assert "very-secret" not in cautions(url, own)[0]
        assert cautions(url, {}) == ()
    for url in ("https://host", "http://127.0.0.1:8080/x", "http://localhost", "http://[::1]:80"):
        assert cautions(url, own) == ()


def test_cloudconvert_is_given_nothing_without_headers_of_its_own() -> None:
    store = open_store("https://host/path", {**BEARER, **HEADERS, **CREATE_ONLY})
    assert store.cloudconvert("a/file.pdf") is None


def test_cloudconvert_is_given_the_arguments_of_its_export_and_may_not_replace() -> None:
    store = open_store("https://host/path", {**BEARER, **HEADERS, **CREATE_ONLY, **LENT})
    assert store.cloudconvert(".incoming/a;b/=2f.pdf") == (
        "export/upload",
        {
            "url": "https://host/path/.incoming/a%3Bb/%3D2f.pdf",
            "headers": {"x-api-key": "lent-secret", "if-none-match": "*"},
        },
    )


def test_settings_carry_the_variables_and_never_show_them() -> None:
    variables = {**BASIC, **HEADERS, **CREATE_ONLY, **LENT}
    settings = Settings.from_env({**variables, "EXPORT_STORAGE_URL": "https://host"})
    assert settings.storage_variables == variables
    options = read_options(HttpPutOptions, variables)
    for shown in (repr(settings), settings.model_dump_json(), repr(options), str(options)):
        assert "very-secret" not in shown
        assert "lent-secret" not in shown
