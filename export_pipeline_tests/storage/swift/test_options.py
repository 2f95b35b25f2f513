import pytest

from export_pipeline.errors import ConfigError
from export_pipeline.settings import Settings
from export_pipeline.storage.open import open_store
from export_pipeline.storage.options import read_options
from export_pipeline.storage.swift.options import SwiftOptions

NEEDED = {
    "EXPORT_SWIFT_AUTH_URL": "https://auth.cloud.ovh.net",
    "EXPORT_SWIFT_USERNAME": "archiver",
    "EXPORT_SWIFT_PASSWORD": "very-secret",
}
LENT = {
    "EXPORT_CLOUDCONVERT_SWIFT_USERNAME": "lent",
    "EXPORT_CLOUDCONVERT_SWIFT_PASSWORD": "lent-secret",
    "EXPORT_SWIFT_REGION": "DE",
}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"EXPORT_SWIFT_AUTH_URL": ""}, "EXPORT_SWIFT_AUTH_URL, .*: set all three"),
        ({"EXPORT_SWIFT_USERNAME": ""}, "EXPORT_SWIFT_USERNAME .*: set all three"),
        ({"EXPORT_SWIFT_PASSWORD": ""}, "EXPORT_SWIFT_PASSWORD: set all three"),
        ({"EXPORT_SWIFT_AUTH_URL": "auth.cloud.ovh.net"}, "EXPORT_SWIFT_AUTH_URL: write it as"),
        (
            {"EXPORT_SWIFT_AUTH_URL": "https://u:very-secret@host"},
            "EXPORT_SWIFT_AUTH_URL: write only",
        ),
        ({"EXPORT_SWIFT_INTERFACE": "private"}, "EXPORT_SWIFT_INTERFACE.*'internal'"),
        ({"EXPORT_SWIFT_KEY": "x"}, "EXPORT_SWIFT_KEY: Extra"),
        (
            {"EXPORT_CLOUDCONVERT_SWIFT_USERNAME": "lent"},
            "EXPORT_CLOUDCONVERT_SWIFT_PASSWORD: set both or neither",
        ),
        (
            {**LENT, "EXPORT_CLOUDCONVERT_SWIFT_USERNAME": "archiver"},
            "EXPORT_CLOUDCONVERT_SWIFT_USERNAME: .*never given to a vendor",
        ),
        ({**LENT, "EXPORT_SWIFT_REGION": ""}, "EXPORT_SWIFT_REGION: CloudConvert requires"),
        (
            {**LENT, "EXPORT_SWIFT_PROJECT_DOMAIN": "Research"},
            "EXPORT_SWIFT_PROJECT_DOMAIN cannot be told to CloudConvert",
        ),
    ],
)
def test_what_is_impossible_is_refused_by_the_name_of_its_variable(
    wrong: dict[str, str], named: str
) -> None:
    with pytest.raises(ConfigError, match=named) as told:
        open_store("swift://container/prefix", NEEDED | wrong)
    assert "very-secret" not in str(told.value)


@pytest.mark.parametrize(
    "url",
    [
        "swift://",
        "swift:///prefix",
        "swift://user:very-secret@container/x",
        "swift://container/x?a=b",
        "swift://container:80/x",
        "swift://a%2Fb/x",
    ],
)
def test_a_url_that_is_no_container_and_prefix_is_refused(url: str) -> None:
    with pytest.raises(
        ConfigError, match="EXPORT_STORAGE_URL: write it as swift://container/prefix"
    ) as told:
        open_store(url, NEEDED)
    assert "very-secret" not in str(told.value)


def test_a_prefix_that_steps_up_is_refused() -> None:
    with pytest.raises(ConfigError, match="EXPORT_STORAGE_URL: the prefix"):
        open_store("swift://container/a/../b", NEEDED)


def test_a_container_keeps_its_capitals_and_spaces() -> None:
    store = open_store("swift://My%20Container/the%20archive/", NEEDED)
    assert store.url == "swift://My%20Container/the%20archive"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://auth.cloud.ovh.net/", "https://auth.cloud.ovh.net"),
        ("https://auth.cloud.ovh.net/v3/", "https://auth.cloud.ovh.net"),
        ("https://auth.cloud.ovh.net/v2.0", "https://auth.cloud.ovh.net"),
        ("http://cloud:5000/identity/v3", "http://cloud:5000/identity"),
    ],
)
def test_the_address_of_keystone_is_kept_without_a_version(given: str, kept: str) -> None:
    assert read_options(SwiftOptions, NEEDED | {"EXPORT_SWIFT_AUTH_URL": given}).auth_url == kept


def test_a_tenant_of_v2_is_a_project_of_v3_in_the_default_domain() -> None:
    options = read_options(SwiftOptions, NEEDED | {"EXPORT_SWIFT_TENANT_NAME": "archive"})
    domain = {"name": "Default"}
    user = {"name": "archiver", "password": "very-secret", "domain": domain}
    assert options.login() == {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": "archive", "domain": domain}},
        }
    }


def test_user_and_project_may_be_of_other_domains() -> None:
    domains = {
        "EXPORT_SWIFT_TENANT_NAME": "archive",
        "EXPORT_SWIFT_USER_DOMAIN": "People",
        "EXPORT_SWIFT_PROJECT_DOMAIN": "Research",
    }
    auth = read_options(SwiftOptions, NEEDED | domains).login()["auth"]
    assert auth["identity"]["password"]["user"]["domain"] == {"name": "People"}
    assert auth["scope"]["project"]["domain"] == {"name": "Research"}


@pytest.mark.parametrize(
    ("auth_url", "is_cautioned"),
    [
        ("http://keystone:5000", True),
        ("http://10.0.0.1:5000/v3", True),
        ("https://keystone:5000", False),
        ("http://127.0.0.1:5000", False),
        ("http://localhost:5000", False),
    ],
)
def test_a_password_over_plain_http_is_cautioned_of_unless_it_stays_here(
    auth_url: str, is_cautioned: bool
) -> None:
    store = open_store("swift://container", {**NEEDED, "EXPORT_SWIFT_AUTH_URL": auth_url})
    said = [words for words in store.capabilities.cautions if "EXPORT_SWIFT_AUTH_URL" in words]
    assert bool(said) == is_cautioned


def test_cloudconvert_is_given_nothing_without_a_user_of_its_own() -> None:
    assert open_store("swift://container/prefix", NEEDED).cloudconvert("a/file.pdf") is None


def test_cloudconvert_is_given_the_arguments_of_its_export_and_never_our_own_password() -> None:
    tenant = {"EXPORT_SWIFT_TENANT_NAME": "archive"}
    store = open_store("swift://container/prefix", {**NEEDED, **LENT, **tenant})
    assert store.cloudconvert("a/file.pdf") == (
        "export/openstack",
        {
            "auth_url": "https://auth.cloud.ovh.net",
            "username": "lent",
            "password": "lent-secret",
            "region": "DE",
            "tenant_name": "archive",
            "container": "container",
            "file": "prefix/a/file.pdf",
        },
    )


def test_secrets_are_not_shown() -> None:
    settings = Settings.from_env({**NEEDED, **LENT, "EXPORT_STORAGE_URL": "swift://container"})
    assert settings.storage_variables == NEEDED | LENT
    assert "very-secret" not in repr(settings)
    assert "lent-secret" not in settings.model_dump_json()
    key = {"EXPORT_SWIFT_TEMPURL_KEY": "key-secret"}
    assert "secret" not in repr(read_options(SwiftOptions, NEEDED | LENT | key))
