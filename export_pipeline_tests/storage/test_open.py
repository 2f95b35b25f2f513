from pathlib import Path

import pytest

from export_pipeline.errors import ConfigError
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.open import open_store


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


@pytest.mark.parametrize("url", ["file://server/share", "file:relative", "file:///a?b", "file://"])
def test_a_file_url_that_names_no_plain_path_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"EXPORT_STORAGE_URL.*file://"):
        open_store(url)
