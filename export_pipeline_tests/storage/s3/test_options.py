import pytest

from export_pipeline.errors import ConfigError
from export_pipeline.settings import Settings
from export_pipeline.storage.open import open_store
from export_pipeline.storage.options import read_options
from export_pipeline.storage.s3.options import S3Options

KEYS = {"EXPORT_S3_ACCESS_KEY_ID": "AK", "EXPORT_S3_SECRET_ACCESS_KEY": "very-secret"}
LENT = {
    "EXPORT_CLOUDCONVERT_S3_ACCESS_KEY_ID": "LENT",
    "EXPORT_CLOUDCONVERT_S3_SECRET_ACCESS_KEY": "lent-secret",
    "EXPORT_S3_REGION": "eu-west-1",
}
EVERYTHING = {
    "EXPORT_S3_ENDPOINT": "https://s3.example.org",
    "EXPORT_S3_ACL": "bucket-owner-full-control",
    "EXPORT_S3_CACHE_CONTROL": "max-age=172800",
    "EXPORT_S3_CONTENT_DISPOSITION": "attachment",
    "EXPORT_S3_CONTENT_TYPE": "application/pdf",
    "EXPORT_S3_METADATA": '{"x-amz-meta-Team": "research", "case": "7"}',
    "EXPORT_S3_SERVER_SIDE_ENCRYPTION": "AES256",
    "EXPORT_S3_TAGGING": '{"kept for": "10 years", "a+b/é": "c=d@_.:-"}',
}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"EXPORT_S3_ACL": "everybody"}, "EXPORT_S3_ACL.*bucket-owner-full-control"),
        ({"EXPORT_S3_SERVER_SIDE_ENCRYPTION": "aes"}, "EXPORT_S3_SERVER_SIDE_ENCRYPTION.*AES256"),
        ({"EXPORT_S3_KMS_KEY_ID": "key"}, "EXPORT_S3_KMS_KEY_ID needs.*aws:kms"),
        (
            {"EXPORT_S3_KMS_KEY_ID": "key", "EXPORT_S3_SERVER_SIDE_ENCRYPTION": "AES256"},
            "EXPORT_S3_KMS_KEY_ID needs.*aws:kms",
        ),
        ({"EXPORT_S3_ACCESS_KEY_ID": "AK"}, "EXPORT_S3_SECRET_ACCESS_KEY: set both"),
        ({"EXPORT_S3_SESSION_TOKEN": "t"}, "EXPORT_S3_SESSION_TOKEN belongs to"),
        ({**KEYS, "EXPORT_S3_SESSION_EXPIRES": "2030-01-01"}, "EXPORT_S3_SESSION_EXPIRES says"),
        ({**KEYS, "EXPORT_S3_PROFILE": "p"}, "EXPORT_S3_PROFILE and EXPORT_S3_ACCESS_KEY_ID"),
        ({"EXPORT_S3_PROFILE": "no-such-profile"}, "^EXPORT_S3_PROFILE: .*no-such-profile"),
        ({"EXPORT_S3_REGION": "eu west"}, "^EXPORT_S3_REGION: .*eu west.*eu-west-1"),
        ({"EXPORT_S3_METADATA": "team=research"}, "EXPORT_S3_METADATA: it is not JSON"),
        ({"EXPORT_S3_METADATA": '{"a b": "c"}'}, "EXPORT_S3_METADATA: 'a b' is not a header"),
        ({"EXPORT_S3_METADATA": '{"a": "é"}'}, "EXPORT_S3_METADATA: it goes into a header"),
        ({"EXPORT_S3_METADATA": '{"a": "' + "x" * 2048 + '"}'}, "EXPORT_S3_METADATA.*2048 bytes"),
        ({"EXPORT_S3_CACHE_CONTROL": "a\r\nx-amz-acl: b"}, "EXPORT_S3_CACHE_CONTROL.*header"),
        ({"EXPORT_S3_TAGGING": '{"aws:x": "a"}'}, "EXPORT_S3_TAGGING: tag 'aws:x': Amazon"),
        ({"EXPORT_S3_TAGGING": '{"AWS:x": "a"}'}, "EXPORT_S3_TAGGING: tag 'AWS:x': Amazon"),
        ({"EXPORT_S3_TAGGING": '{"team": "a;b"}'}, "EXPORT_S3_TAGGING: tag 'team': .*no ';'"),
        ({"EXPORT_S3_TAGGING": '{"a&b": "x"}'}, "EXPORT_S3_TAGGING: tag 'a&b': .*no '&'"),
        ({"EXPORT_S3_TAGGING": '{"": "x"}'}, "EXPORT_S3_TAGGING.*keys of 1 to 128"),
        (
            {"EXPORT_S3_TAGGING": "{" + ",".join(f'"{n}": ""' for n in range(11)) + "}"},
            "EXPORT_S3_TAGGING.*10 tags at most",
        ),
        ({"EXPORT_S3_ENDPOINT": "s3.example.org"}, "EXPORT_S3_ENDPOINT.*https://host"),
        ({"EXPORT_S3_ENDPOINT": "https://u:very-secret@host"}, "EXPORT_S3_ENDPOINT.*only scheme"),
        ({"EXPORT_S3_REGOIN": "eu"}, "EXPORT_S3_REGOIN"),
        ({"EXPORT_S3_OBJECT_LOCK_MODE": "GOVERNANCE"}, "EXPORT_S3_OBJECT_LOCK_DAYS: set both"),
        ({"EXPORT_S3_OBJECT_LOCK_DAYS": "30"}, "EXPORT_S3_OBJECT_LOCK_DAYS: set both"),
        (
            {"EXPORT_S3_OBJECT_LOCK_MODE": "FOREVER", "EXPORT_S3_OBJECT_LOCK_DAYS": "30"},
            "EXPORT_S3_OBJECT_LOCK_MODE.*COMPLIANCE",
        ),
        (
            {"EXPORT_S3_OBJECT_LOCK_MODE": "COMPLIANCE", "EXPORT_S3_OBJECT_LOCK_DAYS": "36501"},
            "EXPORT_S3_OBJECT_LOCK_DAYS.*36500",
        ),
        ({**KEYS, **LENT, "EXPORT_CLOUDCONVERT_S3_ACCESS_KEY_ID": "AK"}, "never given to a vendor"),
        ({**LENT, "EXPORT_S3_REGION": ""}, "EXPORT_S3_REGION: CloudConvert requires"),
        (
            {
                **LENT,
                "EXPORT_S3_SERVER_SIDE_ENCRYPTION": "aws:kms",
                "EXPORT_S3_KMS_KEY_ID": "key",
            },
            "EXPORT_S3_KMS_KEY_ID cannot be told to CloudConvert",
        ),
        (
            {"EXPORT_CLOUDCONVERT_S3_SESSION_TOKEN": "t"},
            "EXPORT_CLOUDCONVERT_S3_SESSION_TOKEN belongs",
        ),
        (
            {"EXPORT_CLOUDCONVERT_S3_ACCESS_KEY_ID": "LENT"},
            "EXPORT_CLOUDCONVERT_S3_SECRET_ACCESS_KEY: set both",
        ),
    ],
)
def test_what_is_impossible_is_refused_by_the_name_of_its_variable(
    wrong: dict[str, str], named: str
) -> None:
    with pytest.raises(ConfigError, match=named) as told:
        open_store("s3://bucket/prefix", wrong)
    assert "very-secret" not in str(told.value)


@pytest.mark.parametrize(
    "url", ["s3://", "s3:///prefix", "s3://key:secret@bucket/x", "s3://bucket/x?a=b", "s3://b:80/x"]
)
def test_a_url_that_is_no_bucket_and_prefix_is_refused(url: str) -> None:
    with pytest.raises(
        ConfigError, match="EXPORT_STORAGE_URL: write it as s3://bucket/prefix"
    ) as told:
        open_store(url)
    assert "secret" not in str(told.value)


def test_a_prefix_that_steps_up_is_refused() -> None:
    with pytest.raises(ConfigError, match="EXPORT_STORAGE_URL: the prefix"):
        open_store("s3://bucket/a/../b")


def test_every_object_gets_what_is_set() -> None:
    assert read_options(S3Options, EVERYTHING).headers("text/csv") == {
        "cache-control": "max-age=172800",
        "content-disposition": "attachment",
        "content-type": "application/pdf",
        "x-amz-acl": "bucket-owner-full-control",
        "x-amz-server-side-encryption": "AES256",
        "x-amz-tagging": "kept+for=10+years&a%2Bb%2F%C3%A9=c%3Dd%40_.%3A-",
        "x-amz-meta-team": "research",
        "x-amz-meta-case": "7",
    }
    assert read_options(S3Options, {}).headers() == {}
    assert read_options(S3Options, {}).headers("text/csv") == {"content-type": "text/csv"}


def test_cloudconvert_is_given_nothing_without_a_key_of_its_own() -> None:
    store = open_store("s3://bucket/prefix", {**KEYS, **EVERYTHING})
    assert store.cloudconvert("a/file.pdf") is None


def test_cloudconvert_is_given_the_arguments_of_its_export_and_never_our_own_key() -> None:
    token = {"EXPORT_CLOUDCONVERT_S3_SESSION_TOKEN": "lent-token"}
    store = open_store("s3://bucket/prefix", {**KEYS, **LENT, **token, **EVERYTHING})
    assert store.cloudconvert("a/file.pdf") == (
        "export/s3",
        {
            "bucket": "bucket",
            "region": "eu-west-1",
            "endpoint": "https://s3.example.org",
            "key": "prefix/a/file.pdf",
            "access_key_id": "LENT",
            "secret_access_key": "lent-secret",
            "session_token": "lent-token",
            "acl": "bucket-owner-full-control",
            "cache_control": "max-age=172800",
            "content_disposition": "attachment",
            "content_type": "application/pdf",
            "metadata": {"x-amz-meta-team": "research", "x-amz-meta-case": "7"},
            "server_side_encryption": "AES256",
            "tagging": {"kept for": "10 years", "a+b/é": "c=d@_.:-"},
        },
    )


def test_settings_carry_the_variables_and_never_show_them() -> None:
    settings = Settings.from_env({**KEYS, "EXPORT_STORAGE_URL": "s3://bucket"})
    assert settings.storage_variables == KEYS
    assert "very-secret" not in repr(settings)
    assert "very-secret" not in settings.model_dump_json()
    assert "very-secret" not in repr(read_options(S3Options, KEYS))


def test_without_the_packages_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module", name="botocore")

    monkeypatch.setattr("export_pipeline.storage.open.import_module", missing)
    with pytest.raises(ConfigError, match=r"'botocore'.*pip install 'export-pipeline\[s3\]'"):
        open_store("s3://bucket")
