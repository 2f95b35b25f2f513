import base64

import pytest

from export_pipeline.errors import ConfigError
from export_pipeline.settings import Settings
from export_pipeline.storage.azure.options import AzureOptions
from export_pipeline.storage.open import open_store
from export_pipeline.storage.options import read_options

SECRET = base64.b64encode(b"very secret").decode()
LENT_SECRET = base64.b64encode(b"lent secret").decode()
KEY = {"EXPORT_AZURE_ACCESS_KEY": SECRET}
TOKEN = "sv=2025-05-05&se=2030-01-01T00%3A00Z&sp=racwdl&sr=c&sig=c2VjcmV0"
SAS = {"EXPORT_AZURE_SAS_TOKEN": TOKEN}
LENT = {"EXPORT_CLOUDCONVERT_AZURE_ACCESS_KEY": LENT_SECRET}
EMULATOR = {"EXPORT_AZURE_ENDPOINT": "http://127.0.0.1:10000/account"}
METADATA = {"EXPORT_AZURE_METADATA": '{"x-ms-meta-Team": "research", "case_7": "a b"}'}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({**KEY, **SAS}, "EXPORT_AZURE_ACCESS_KEY and EXPORT_AZURE_SAS_TOKEN: set only one"),
        ({"EXPORT_AZURE_ACCESS_KEY": SECRET[:-1]}, "EXPORT_AZURE_ACCESS_KEY: it is not base64"),
        ({"EXPORT_AZURE_SAS_TOKEN": "sv=1&sp=r"}, "EXPORT_AZURE_SAS_TOKEN: it has no signature"),
        ({"EXPORT_AZURE_SAS_TOKEN": "a b&sig=x\n"}, "EXPORT_AZURE_SAS_TOKEN: it goes into"),
        ({"EXPORT_AZURE_SAS_TOKEN": "se=soon&sig=x"}, r"EXPORT_AZURE_SAS_TOKEN: its end \(se\)"),
        (
            {**EMULATOR, "EXPORT_AZURE_SAS_TOKEN": f"{TOKEN}&spr=https"},
            "EXPORT_AZURE_SAS_TOKEN allows HTTPS only",
        ),
        (EMULATOR, "EXPORT_AZURE_ENDPOINT: an identity's token is never sent over plain HTTP"),
        ({**KEY, "EXPORT_AZURE_ENDPOINT": "host"}, "EXPORT_AZURE_ENDPOINT: write it as https://"),
        (
            {**KEY, "EXPORT_AZURE_ENDPOINT": f"https://u:{SECRET}@host"},
            "EXPORT_AZURE_ENDPOINT: write only the address",
        ),
        ({**KEY, "EXPORT_AZURE_ENDPOINT": "https://host/?a=b"}, "write only the address"),
        ({"EXPORT_AZURE_METADATA": "team=research"}, "EXPORT_AZURE_METADATA: it is not JSON"),
        ({"EXPORT_AZURE_METADATA": '{"a-b": "c"}'}, "EXPORT_AZURE_METADATA: 'a-b' is no name"),
        ({"EXPORT_AZURE_METADATA": '{"7": "c"}'}, "EXPORT_AZURE_METADATA: '7' is no name"),
        ({"EXPORT_AZURE_METADATA": '{"a": "é"}'}, "EXPORT_AZURE_METADATA: it goes into a header"),
        ({"EXPORT_AZURE_METADATA": '{"a": "' + "x" * 8192 + '"}'}, "METADATA.*8192 bytes"),
        ({"EXPORT_AZURE_ACESS_KEY": "x"}, "EXPORT_AZURE_ACESS_KEY"),
        (
            {**KEY, "EXPORT_CLOUDCONVERT_AZURE_ACCESS_KEY": SECRET},
            "EXPORT_CLOUDCONVERT_AZURE_ACCESS_KEY.*never given to a vendor",
        ),
        (
            {**SAS, "EXPORT_CLOUDCONVERT_AZURE_SAS_TOKEN": f"?{TOKEN}"},
            "EXPORT_CLOUDCONVERT_AZURE_SAS_TOKEN.*never given to a vendor",
        ),
        (
            {**LENT, "EXPORT_CLOUDCONVERT_AZURE_SAS_TOKEN": TOKEN},
            "EXPORT_CLOUDCONVERT_AZURE_SAS_TOKEN: set only one",
        ),
        (
            {**KEY, **LENT, "EXPORT_AZURE_ENDPOINT": "https://a.blob.core.chinacloudapi.cn"},
            "EXPORT_AZURE_ENDPOINT: CloudConvert writes to blob.core.windows.net only",
        ),
    ],
)
def test_what_is_impossible_is_refused_by_the_name_of_its_variable(
    wrong: dict[str, str], named: str
) -> None:
    with pytest.raises(ConfigError, match=named) as told:
        open_store("az://account/container/prefix", wrong)
    assert SECRET not in str(told.value)
    assert "c2VjcmV0" not in str(told.value)


@pytest.mark.parametrize(
    "url",
    [
        "az://",
        "az://account",
        "az:///container",
        "az://key:secret@account/container",
        "az://account/container?sig=secret",
        "az://Account/container",
        "az://account:80/container",
        "az://account/Container/x",
        "az://account/a--b",
        "az://account/co",
        "az://account.blob.core.windows.net/container",
    ],
)
def test_a_url_that_is_no_account_container_and_prefix_is_refused(url: str) -> None:
    with pytest.raises(
        ConfigError, match="EXPORT_STORAGE_URL: write it as az://account/container/prefix"
    ) as told:
        open_store(url, KEY)
    assert "secret" not in str(told.value)


def test_a_prefix_that_steps_up_is_refused() -> None:
    with pytest.raises(ConfigError, match="EXPORT_STORAGE_URL: the prefix"):
        open_store("az://account/container/a/../b", KEY)


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("", "https://account.blob.core.windows.net/container/p/a?"),
        (
            "https://account.blob.core.usgovcloudapi.net/",
            "https://account.blob.core.usgovcloudapi.net/container/p/a?",
        ),
        ("http://127.0.0.1:10000/account", "http://127.0.0.1:10000/account/container/p/a?"),
    ],
)
def test_the_address_follows_from_account_and_endpoint(endpoint: str, address: str) -> None:
    store = open_store("az://account/container/p", {**KEY, "EXPORT_AZURE_ENDPOINT": endpoint})
    assert (store.sign_download("a", seconds=60) or "").startswith(address)


def test_every_blob_gets_what_is_set() -> None:
    options = read_options(AzureOptions, METADATA)
    assert options.headers() == {"x-ms-meta-team": "research", "x-ms-meta-case_7": "a b"}
    assert read_options(AzureOptions, {}).headers() == {}


def test_cloudconvert_is_given_nothing_without_credentials_of_its_own() -> None:
    store = open_store("az://account/container/prefix", {**KEY, **METADATA})
    assert store.cloudconvert("a/file.pdf") is None


@pytest.mark.parametrize(
    ("lent", "given"),
    [
        (LENT, {"storage_access_key": LENT_SECRET}),
        ({"EXPORT_CLOUDCONVERT_AZURE_SAS_TOKEN": f"?{TOKEN}"}, {"sas_token": TOKEN}),
    ],
)
def test_cloudconvert_is_given_the_arguments_of_its_export_and_never_our_own_key(
    lent: dict[str, str], given: dict[str, str]
) -> None:
    store = open_store("az://account/container/prefix", {**KEY, **METADATA, **lent})
    assert store.cloudconvert("a/file.pdf") == (
        "export/azure/blob",
        {
            "storage_account": "account",
            **given,
            "container": "container",
            "blob": "prefix/a/file.pdf",
            "metadata": {"team": "research", "case_7": "a b"},
        },
    )


def test_settings_carry_the_variables_and_never_show_them() -> None:
    settings = Settings.from_env({**KEY, "EXPORT_STORAGE_URL": "az://account/container"})
    assert settings.storage_variables == KEY
    assert SECRET not in repr(settings)
    assert SECRET not in settings.model_dump_json()
    assert SECRET not in repr(read_options(AzureOptions, KEY))


def test_without_the_packages_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module", name="azure")

    monkeypatch.setattr("export_pipeline.storage.open.import_module", missing)
    with pytest.raises(ConfigError, match=r"'azure'.*pip install 'export-pipeline\[azure\]'"):
        open_store("az://account/container")
