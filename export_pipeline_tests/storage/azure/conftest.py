import gc
import ssl
from collections.abc import Iterator

import aiohttp.connector
import pytest

from export_pipeline.storage.azure import blocks
from export_pipeline.storage.azure.store import AzureStore
from export_pipeline.storage.open import open_store
from export_pipeline_tests.conftest import installed
from export_pipeline_tests.servers.azurite import (
    ACCOUNT,
    HOW_TO_GET_IT,
    Azurite,
    find_azurite,
    running_azurite,
)
from export_pipeline_tests.servers.certificate import new_certificate
from export_pipeline_tests.servers.identity import Identity, running_identity
from export_pipeline_tests.storage.azure.faults import BLOCK_BYTES, AzureUpstream

LEFT_OPEN = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
"""For tests by TLS: Python before 3.12.8 (pull 118960) never ends a connection closed twice,
as aiohttp does after Azurite's answer to a HEAD, which says no length."""


@pytest.fixture(scope="session")
def tls_azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """One that speaks TLS, which this process trusts, and takes tokens."""
    program = installed(find_azurite(), HOW_TO_GET_IT)
    certificate = new_certificate(tmp_path_factory.mktemp("certificate"))
    # What SSL_CERT_FILE does for a process that has not yet begun.
    context = aiohttp.connector._SSL_CONTEXT_VERIFIED
    assert isinstance(context, ssl.SSLContext)
    context.load_verify_locations(certificate.file)
    with running_azurite(program, certificate) as server:
        yield server


@pytest.fixture
def container(azurite: Azurite) -> str:
    return azurite.new_container()


@pytest.fixture
def store(azurite: Azurite, container: str) -> AzureStore:
    return opened(container, azurite.variables())


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> Iterator[Identity]:
    """An identity of this machine, and nothing else from which Azure's chain takes one."""
    for name in ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
    with running_identity() as running:
        for name, value in running.variables().items():
            monkeypatch.setenv(name, value)
        yield running
    # Here, where `LEFT_OPEN` holds, and not in whichever test comes next.
    gc.collect()


@pytest.fixture
def upstream(azurite: Azurite, container: str, monkeypatch: pytest.MonkeyPatch) -> AzureUpstream:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", BLOCK_BYTES)
    return AzureUpstream(azurite, container)


def opened(container: str, variables: dict[str, str]) -> AzureStore:
    """The store on a folder of the container, its name no plain word."""
    made = open_store(f"az://{ACCOUNT}/{container}/my archive", variables)
    assert isinstance(made, AzureStore)
    return made
