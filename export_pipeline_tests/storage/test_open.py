from pathlib import Path

import pytest

from export_pipeline.errors import ConfigError
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.open import open_store, options_of


@pytest.mark.parametrize(
    ("url", "opened"),
    [
        ("/srv/my archive?#1", "file:///srv/my%20archive%3F%231"),
        ("file:///srv/my%20archive", "file:///srv/my%20archive"),
        ("file://localhost/srv", "file:///srv"),
    ],
)
def test_a_path_and_a_file_url_open_the_local_store(url: str, opened: str) -> None:
    store = open_store(url)
    assert isinstance(store, LocalStore)
    assert store.url == opened


def test_opening_touches_nothing(tmp_path: Path) -> None:
    open_store(str(tmp_path / "archive"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["", "archive", "ftp://user:pass-word@host/x", "C:\\archive"])
def test_any_other_url_is_an_error_that_names_variable_and_schemes_and_no_secret(url: str) -> None:
    with pytest.raises(ConfigError, match=r"EXPORT_STORAGE_URL.*file://") as told:
        open_store(url)
    assert "pass-word" not in str(told.value)


@pytest.mark.parametrize(
    "url",
    [
        "s3://[pass-word/archive",
        "gs://[pass-word]/archive",
        "https://[::1/pass-word",
        "https://pass\u2100word/archive",
        "https://host:pass-word/archive",
        "https://host:65536/pass-word",
        "https://.host/pass-word",
        f"https://{'h' * 64}.example/pass-word",
    ],
)
def test_a_url_whose_host_cannot_be_read_is_told_and_never_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match=r"EXPORT_STORAGE_URL: its host or port") as told:
        open_store(url)
    assert "word" not in str(told.value)


@pytest.mark.parametrize(
    ("url", "variable"),
    [
        ("s3://bucket", "EXPORT_S3_ENDPOINT"),
        ("gs://bucket", "EXPORT_GCS_ENDPOINT"),
        ("az://account/container", "EXPORT_AZURE_ENDPOINT"),
        ("swift://container", "EXPORT_SWIFT_AUTH_URL"),
    ],
)
@pytest.mark.parametrize("address", ["https://[::1", "https://host:port", "https://host:65536"])
def test_an_address_whose_host_cannot_be_read_is_told_by_its_variable(
    url: str, variable: str, address: str
) -> None:
    with pytest.raises(ConfigError, match=f"{variable}: its host or port"):
        open_store(url, {variable: address})


def test_the_variables_of_a_store_are_those_of_its_scheme_however_it_is_written() -> None:
    assert options_of("S3://bucket") is options_of("s3://bucket") is not None
    assert open_store("FILE:///archive").url == "file:///archive"


@pytest.mark.parametrize(
    "url", ["file://server/share", "file:relative", "file:///a?b", "file://", "file:///a%00b"]
)
def test_a_file_url_that_names_no_plain_path_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"EXPORT_STORAGE_URL.*file://"):
        open_store(url)
