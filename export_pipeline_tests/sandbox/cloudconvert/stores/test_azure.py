"""export/azure/blob and import/azure/blob against Azurite."""

import pytest
from azure.storage.blob import generate_container_sas

from export_pipeline_tests.sandbox.cloudconvert.api import HOSTILE_NAME, Api, Json
from export_pipeline_tests.sandbox.cloudconvert.conftest import StartApi
from export_pipeline_tests.sandbox.cloudconvert.stores.files import (
    EMPTY,
    HOSTILE,
    LETTER,
    brought,
    done,
    failed,
)
from export_pipeline_tests.servers.azurite import ACCOUNT, KEY, Azurite


@pytest.fixture
def api(start_api: StartApi, azurite: Azurite) -> Api:
    return start_api(azure_url=f"{azurite.url}/{{account}}")


@pytest.fixture
def container(azurite: Azurite) -> str:
    return azurite.new_container()


@pytest.fixture(params=["key", "token"])
def given(request: pytest.FixtureRequest, azurite: Azurite, container: str) -> Json:
    base = {"storage_account": ACCOUNT, "container": container}
    if request.param == "key":
        return {**base, "storage_access_key": KEY}
    token = azurite.token_variables(container)["EXPORT_AZURE_SAS_TOKEN"]
    return {**base, "sas_token": f"?{token}"}


def stored(azurite: Azurite, container: str) -> dict[str, bytes]:
    opened = azurite.client.get_container_client(container)
    return {one.name: opened.download_blob(one.name).readall() for one in opened.list_blobs()}


def test_a_file_is_stored_with_its_type_and_metadata(
    api: Api, azurite: Azurite, container: str, given: Json
) -> None:
    blob = f"a b/=2e/{HOSTILE_NAME}"
    arguments = {**given, "blob": blob, "metadata": {"Team": "a b", "x_y": "2"}}
    assert done(api.exported("export/azure/blob", LETTER, **arguments)) == ["letter.txt"]
    assert stored(azurite, container) == {blob: b"Dear reader,\n"}
    found = azurite.client.get_blob_client(container, blob).get_blob_properties()
    assert found.content_settings.content_type == "text/plain"
    assert {name.lower(): text for name, text in found.metadata.items()} == {
        "team": "a b",
        "x_y": "2",
    }


def test_several_files_are_numbered_or_keep_their_names(
    api: Api, azurite: Azurite, container: str, given: Json
) -> None:
    files = (LETTER, HOSTILE, EMPTY)
    done(api.exported("export/azure/blob", *files, **given, blob="my-%d"))
    done(api.exported("export/azure/blob", *files, **given, blob_prefix="in/"))
    assert set(stored(azurite, container)) == {
        *("my-1", "my-2", "my-3"),
        *("in/letter.txt", f"in/{HOSTILE_NAME}", "in/empty.bin"),
    }


def test_files_are_brought_by_name_and_by_prefix(
    api: Api, azurite: Azurite, container: str, given: Json
) -> None:
    opened = azurite.client.get_container_client(container)
    for name in ("in/a b.txt", "in/b.txt", "c.txt"):
        opened.upload_blob(name, name.encode())
    found = brought(api, "import/azure/blob", **given, blob="in/a b.txt")
    assert found == {"a b.txt": b"in/a b.txt"}
    assert set(brought(api, "import/azure/blob", **given, blob_prefix="in/")) == {
        "a b.txt",
        "b.txt",
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"storage_access_key": "d3Jvbmc="}, "403"),
        ({"storage_access_key": "no base64"}, "not valid"),
        ({"storage_access_key": KEY, "container": "no-such-container"}, "ContainerNotFound"),
        ({"sas_token": "sv=2023-11-03&sig=wrong"}, "403"),
    ],
)
def test_what_the_store_refuses_fails_the_task_with_its_reason(
    api: Api, container: str, changes: Json, reason: str
) -> None:
    given = {"storage_account": ACCOUNT, "container": container, **changes}
    message = failed(api.exported("export/azure/blob", LETTER, **given))
    assert reason in message
    assert KEY not in message


def test_a_token_that_may_only_read_stores_nothing(
    api: Api, azurite: Azurite, container: str
) -> None:
    token = generate_container_sas(
        ACCOUNT, container, account_key=KEY, permission="r", expiry="2999-01-01T00:00:00Z"
    )
    given = {"storage_account": ACCOUNT, "container": container, "sas_token": token}
    failed(api.exported("export/azure/blob", LETTER, **given))
    assert stored(azurite, container) == {}
