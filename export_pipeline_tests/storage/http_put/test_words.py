import pytest

from export_pipeline.errors import NotFound, StoreError
from export_pipeline.storage.http import Answer
from export_pipeline.storage.http_put.words import explain

URL = "https://archive.example/exports/a%20b"


@pytest.mark.parametrize(
    ("location", "there"),
    [
        ("https://other.example/a?token=very-secret", "other.example"),
        ("/login?token=very-secret", "another address"),
        ("https://[::1/very-secret", "another address"),
        ("", "another address"),
    ],
)
def test_a_redirect_is_told_by_its_host_alone_whatever_the_server_writes(
    location: str, there: str
) -> None:
    error = explain(Answer(302, {"location": location}), "PUT", URL, 0)
    assert type(error) is StoreError
    assert f"the server redirects to {there}" in str(error)
    assert "very-secret" not in str(error)


def test_a_redirect_to_a_folder_is_no_object() -> None:
    error = explain(Answer(301, {"location": f"{URL}/"}), "GET", URL, 0)
    assert type(error) is NotFound
