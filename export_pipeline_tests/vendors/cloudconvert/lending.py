"""Stores that lend CloudConvert credentials of its own, each on its real server."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest

from export_pipeline.storage.open import open_store
from export_pipeline.storage.store import Store
from export_pipeline_tests.servers.asyncssh_sftp import PASSWORD
from export_pipeline_tests.servers.azurite import ACCOUNT, KEY, Azurite
from export_pipeline_tests.servers.gcs import Gcs
from export_pipeline_tests.servers.google import PROJECT
from export_pipeline_tests.servers.keystone import ARCHIVER, READER
from export_pipeline_tests.servers.seaweedfs import LENT, SeaweedFS
from export_pipeline_tests.servers.sshd import SftpServer
from export_pipeline_tests.servers.swift import Swift


@dataclass(frozen=True)
class Lending:
    """A store, and what its two sets of credentials look like.

    Args:
        store: the archive's.
        own: secrets of the archive's that no vendor may get.
        lent: secrets that are meant for the vendor.
        sandbox: options with which the sandbox finds the service.
    """

    store: Store
    own: tuple[str, ...]
    lent: tuple[str, ...]
    sandbox: Mapping[str, str] = field(default_factory=dict)


def s3(seaweedfs: SeaweedFS) -> Lending:
    own = seaweedfs.variables()
    lent = {
        "EXPORT_S3_CREATE_ONLY": "true",
        "EXPORT_CLOUDCONVERT_S3_ACCESS_KEY_ID": LENT.key,
        "EXPORT_CLOUDCONVERT_S3_SECRET_ACCESS_KEY": LENT.secret,
    }
    store = open_store(f"s3://{seaweedfs.new_bucket()}/my archive", own | lent)
    secrets = (own["EXPORT_S3_ACCESS_KEY_ID"], own["EXPORT_S3_SECRET_ACCESS_KEY"])
    return Lending(store, secrets, (LENT.key, LENT.secret))


def azure(azurite: Azurite) -> Lending:
    container = azurite.new_container()
    url = f"az://{ACCOUNT}/{container}/my archive"
    token = azurite.token_variables(container)["EXPORT_AZURE_SAS_TOKEN"]
    lent = {"EXPORT_AZURE_ACCESS_KEY": KEY, "EXPORT_CLOUDCONVERT_AZURE_SAS_TOKEN": token}
    store = lends_as(open_store(url, azurite.variables()), open_store(url, lent))
    return Lending(store, (KEY,), (token,), {"azure_url": f"{azurite.url}/{{account}}"})


def google(gcs: Gcs) -> Lending:
    url = f"gs://{gcs.new_bucket()}/my archive"
    own, lent = json.loads(gcs.google.key_file()), gcs.google.another_key()
    variables = {
        "EXPORT_GCS_KEY": json.dumps(own),
        "EXPORT_CLOUDCONVERT_GCS_PROJECT_ID": PROJECT,
        "EXPORT_CLOUDCONVERT_GCS_CLIENT_EMAIL": f"cloudconvert@{PROJECT}.iam.gserviceaccount.com",
        "EXPORT_CLOUDCONVERT_GCS_PRIVATE_KEY": lent,
    }
    store = lends_as(open_store(url, gcs.variables()), open_store(url, variables))
    sandbox = {"google_url": gcs.url, "google_token_url": f"{gcs.google.url}/token"}
    return Lending(store, (in_json(own["private_key"]),), (in_json(lent),), sandbox)


def swift(swift: Swift) -> Lending:
    container = swift.new_container()
    everybody = {"X-Container-Write": "*:*"}
    swift.client.post(swift.address(container), headers=everybody).raise_for_status()
    lent = {
        "EXPORT_CLOUDCONVERT_SWIFT_USERNAME": READER[0],
        "EXPORT_CLOUDCONVERT_SWIFT_PASSWORD": READER[1],
    }
    store = open_store(f"swift://{quote(container)}/my%20archive", swift.variables() | lent)
    return Lending(store, ARCHIVER, READER)


def sftp(password_server: SftpServer) -> Lending:
    url = password_server.url(password_server.new_folder())
    lent = {
        "EXPORT_CLOUDCONVERT_SFTP_USERNAME": password_server.user,
        "EXPORT_CLOUDCONVERT_SFTP_PASSWORD": PASSWORD,
    }
    own = in_json(password_server.private_key)
    return Lending(open_store(url, password_server.variables() | lent), (own,), (PASSWORD,))


def lends_as(store: Store, public: Store) -> Store:
    """The store on a test server that lends as one on the public service, to which alone it may."""
    setattr(store, "cloudconvert", public.cloudconvert)  # noqa: B010  of this one alone
    return store


def in_json(text: str) -> str:
    """As it stands in a JSON body."""
    return json.dumps(text)[1:-1]


BY_OPERATION: Mapping[str, tuple[str, Callable[..., Lending]]] = {
    "export/s3": ("seaweedfs", s3),
    "export/azure/blob": ("azurite", azure),
    "export/google-cloud-storage": ("gcs", google),
    "export/openstack": ("swift", swift),
    "export/sftp": ("password_server", sftp),
}
"""Operation -> the fixture of its server, and how the store on it is made."""


def lending(operation: str, request: pytest.FixtureRequest) -> Lending:
    """The store on which the operation writes."""
    server, make = BY_OPERATION[operation]
    return make(request.getfixturevalue(server))
