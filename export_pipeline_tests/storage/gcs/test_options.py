import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from export_pipeline.cli import app
from export_pipeline.errors import ConfigError
from export_pipeline.settings import Settings
from export_pipeline.storage.gcs.options import GcsOptions
from export_pipeline.storage.open import open_store
from export_pipeline.storage.options import read_options
from export_pipeline_tests.servers.google import ACCOUNT, Google

KEY = Google(url="https://google.example").key_file()
SECRET = json.loads(KEY)["private_key"].splitlines()[1]
LENT_KEY = "-----BEGIN PRIVATE KEY-----\nbGVudA==\n-----END PRIVATE KEY-----\n"
LENT = {
    "EXPORT_CLOUDCONVERT_GCS_PROJECT_ID": "api-project-1",
    "EXPORT_CLOUDCONVERT_GCS_CLIENT_EMAIL": "lent@api-project-1.iam.gserviceaccount.com",
    "EXPORT_CLOUDCONVERT_GCS_PRIVATE_KEY": LENT_KEY,
}


def changed(**changes: object) -> str:
    return json.dumps(json.loads(KEY) | changes)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"EXPORT_GCS_KEY": "/path/key.json"}, "EXPORT_GCS_KEY: it is not JSON"),
        ({"EXPORT_GCS_KEY": "[]"}, "EXPORT_GCS_KEY: it is not the key of"),
        (
            {"EXPORT_GCS_KEY": changed(type="external_account")},
            "EXPORT_GCS_KEY: it is not the key.*GOOGLE_APPLICATION_CREDENTIALS",
        ),
        (
            {"EXPORT_GCS_KEY": changed(client_email=None, token_uri=7)},
            "EXPORT_GCS_KEY: it has no client_email and no token_uri",
        ),
        (
            {"EXPORT_GCS_KEY": changed(private_key=f"{SECRET}!")},
            "EXPORT_GCS_KEY: its private_key",
        ),
        (
            {"EXPORT_GCS_KEY_FILE": "/no/such/file"},
            "EXPORT_GCS_KEY_FILE: /no/such/file cannot be read: No such file",
        ),
        (
            {"EXPORT_GCS_KEY": KEY, "EXPORT_GCS_KEY_FILE": "/key.json"},
            "EXPORT_GCS_KEY and EXPORT_GCS_KEY_FILE: set only one",
        ),
        (
            {"EXPORT_GCS_KEY": KEY, "EXPORT_GCS_SIGNING_ACCOUNT": "a@b"},
            "EXPORT_GCS_SIGNING_ACCOUNT is for credentials without a key",
        ),
        ({"EXPORT_GCS_ENDPOINT": "storage.example.org"}, "EXPORT_GCS_ENDPOINT.*https://host"),
        ({"EXPORT_GCS_PROJECT": "p"}, "EXPORT_GCS_PROJECT"),
        (
            {"EXPORT_CLOUDCONVERT_GCS_CLIENT_EMAIL": "a@b"},
            "EXPORT_CLOUDCONVERT_GCS_PRIVATE_KEY: set all or none",
        ),
        (
            {**LENT, "EXPORT_CLOUDCONVERT_GCS_PRIVATE_KEY": SECRET},
            "EXPORT_CLOUDCONVERT_GCS_PRIVATE_KEY: it is no private key",
        ),
        (
            {
                **LENT,
                "EXPORT_CLOUDCONVERT_GCS_CLIENT_EMAIL": ACCOUNT,
                "EXPORT_GCS_KEY": KEY,
            },
            "EXPORT_CLOUDCONVERT_GCS_CLIENT_EMAIL: .* never given to a vendor",
        ),
        (
            {**LENT, "EXPORT_GCS_ENDPOINT": "https://storage.example.org"},
            "EXPORT_GCS_ENDPOINT cannot be told to CloudConvert",
        ),
    ],
)
def test_what_is_impossible_is_refused_by_the_name_of_its_variable(
    wrong: dict[str, str], named: str
) -> None:
    with pytest.raises(ConfigError, match=named) as told:
        open_store("gs://bucket/prefix", wrong)
    assert SECRET not in str(told.value)


@pytest.mark.parametrize(
    "url",
    [
        "gs://",
        "gs:///prefix",
        "gs://key:secret@bucket/x",
        "gs://bucket/x?a=b",
        "gs://bucket:80/x",
        "gs://My-Bucket/x",
        "gs://bücket/x",
    ],
)
def test_a_url_that_is_no_bucket_and_prefix_is_refused(url: str) -> None:
    with pytest.raises(
        ConfigError, match="EXPORT_STORAGE_URL: write it as gs://bucket/prefix"
    ) as told:
        open_store(url)
    assert "secret" not in str(told.value)


def test_a_prefix_that_steps_up_is_refused() -> None:
    with pytest.raises(ConfigError, match="EXPORT_STORAGE_URL: the prefix"):
        open_store("gs://bucket/a/../b")


def _as_text(_: Path) -> dict[str, str]:
    return {"EXPORT_GCS_KEY": KEY}


def _as_file(folder: Path) -> dict[str, str]:
    (folder / "key.json").write_text(KEY)
    return {"EXPORT_GCS_KEY_FILE": str(folder / "key.json")}


@pytest.mark.parametrize("given", [_as_text, _as_file])
def test_a_key_is_given_as_text_or_as_a_file_and_signs_for_googles_own_address(
    tmp_path: Path, given: Callable[[Path], dict[str, str]]
) -> None:
    store = open_store("gs://bucket/my archive", given(tmp_path))
    assert store.capabilities.signs_uploads
    url = store.sign_download("a b/=2e.pdf", seconds=60) or ""
    assert url.startswith("https://storage.googleapis.com/bucket/my%20archive/a%20b/%3D2e.pdf?")
    assert ACCOUNT.replace("@", "%40") in url


def test_cloudconvert_is_given_nothing_without_credentials_of_its_own() -> None:
    store = open_store("gs://bucket/prefix", {"EXPORT_GCS_KEY": KEY})
    assert store.cloudconvert("a/file.pdf") is None


@pytest.mark.parametrize("key", [LENT_KEY, LENT_KEY.replace("\n", "\\n")])
def test_cloudconvert_is_given_the_arguments_of_its_export_and_never_our_own_key(
    key: str,
) -> None:
    lent = {**LENT, "EXPORT_CLOUDCONVERT_GCS_PRIVATE_KEY": key}
    store = open_store("gs://bucket/prefix", {"EXPORT_GCS_KEY": KEY, **lent})
    assert store.cloudconvert("a/file.pdf") == (
        "export/google-cloud-storage",
        {
            "project_id": "api-project-1",
            "bucket": "bucket",
            "client_email": "lent@api-project-1.iam.gserviceaccount.com",
            "private_key": LENT_KEY,
            "file": "prefix/a/file.pdf",
        },
    )


def test_settings_carry_the_variables_and_never_show_them() -> None:
    variables = {"EXPORT_GCS_KEY": KEY, **LENT}
    settings = Settings.from_env({**variables, "EXPORT_STORAGE_URL": "gs://bucket"})
    assert settings.storage_variables == variables
    for shown in (
        repr(settings),
        settings.model_dump_json(),
        repr(read_options(GcsOptions, variables)),
    ):
        assert SECRET not in shown
        assert "bGVudA" not in shown


def test_check_tells_that_the_key_is_set_and_never_shows_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    variables = {"EXPORT_STORAGE_URL": "gs://bucket", "EXPORT_GCS_KEY": KEY, **LENT}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    told = CliRunner().invoke(app, ["check", "--home", str(tmp_path), "--json"])
    shown = json.loads(told.stdout)["variables"]
    assert shown["EXPORT_GCS_KEY"] == shown["EXPORT_CLOUDCONVERT_GCS_PRIVATE_KEY"] == "set"
    assert SECRET not in told.output
    assert "bGVudA" not in told.output


def test_without_the_packages_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module", name="google")

    monkeypatch.setattr("export_pipeline.storage.open.import_module", missing)
    with pytest.raises(ConfigError, match=r"'google'.*pip install 'export-pipeline\[gcs\]'"):
        open_store("gs://bucket")
