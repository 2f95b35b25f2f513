"""Who is let in, which server is trusted, and what is said if not."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import asyncssh
import pytest

from export_pipeline.errors import AccessDenied, StoreError, StoreUnavailable
from export_pipeline.storage.open import open_store
from export_pipeline.storage.store import Store
from export_pipeline_tests.servers.asyncssh_sftp import PASSWORD, Faults, running_asyncssh
from export_pipeline_tests.servers.sshd import LOOPBACK, SftpServer
from export_pipeline_tests.storage.conformance import keys, put

PASSPHRASE = "a passphrase"
OTHER = asyncssh.generate_private_key("ssh-ed25519")
OTHER_RSA = asyncssh.generate_private_key("ssh-rsa", key_size=2048)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without keys and known hosts, and no agent."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setattr("export_pipeline.storage.retries.ATTEMPTS", 1)
    (tmp_path / ".ssh").mkdir()
    return tmp_path


@pytest.fixture
def http_port() -> Iterator[int]:
    with ThreadingHTTPServer((LOOPBACK, 0), BaseHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def public(key: asyncssh.SSHKey) -> str:
    return key.export_public_key().decode()


def refused(store: Store, error: type[Exception]) -> str:
    """Every call fails with this error; return its words."""

    async def scenario() -> str:
        for call in (put(store, "a"), store.stat("a"), keys(store), store.delete("a")):
            with pytest.raises(error) as told:
                await call
        assert PASSWORD not in str(told.value)
        return str(told.value)

    return asyncio.run(scenario())


def works(store: Store) -> None:
    asyncio.run(put(store, "a"))


def test_a_key_is_taken_from_a_file_with_a_passphrase(
    server: SftpServer, folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    key = asyncssh.import_private_key(server.private_key)
    file.write_bytes(
        key.export_private_key(passphrase=PASSPHRASE, rounds=1, ignore_few_rounds=True)
    )
    variables = {
        "EXPORT_SFTP_PRIVATE_KEY_FILE": "~/key",
        "EXPORT_SFTP_PASSPHRASE": PASSPHRASE,
        "EXPORT_SFTP_HOST_KEY": server.host_key,
    }
    works(open_store(server.url(folder), variables))
    wrong = {**variables, "EXPORT_SFTP_PASSPHRASE": "another"}
    words = refused(open_store(server.url(folder), wrong), StoreError)
    assert words == (
        "EXPORT_SFTP_PRIVATE_KEY_FILE: the private key cannot be read: Incorrect passphrase"
    )


def test_without_any_the_keys_and_known_hosts_of_the_home_are_taken(
    server: SftpServer, folder: Path, home: Path
) -> None:
    (home / ".ssh/id_ed25519").write_text(server.private_key)
    (home / ".ssh/known_hosts").write_text(f"[{LOOPBACK}]:{server.port} {server.host_key}")
    works(open_store(server.url(folder)))


def test_a_password_lets_in(faulty: tuple[SftpServer, Faults]) -> None:
    server, _ = faulty
    url = server.url(server.new_folder())
    variables = {"EXPORT_SFTP_PASSWORD": PASSWORD, "EXPORT_SFTP_HOST_KEY": server.host_key}
    works(open_store(url, variables))
    words = refused(open_store(url, {**variables, "EXPORT_SFTP_PASSWORD": "other"}), AccessDenied)
    assert (
        "refuses to let user 'archivist' in; tried: the password of EXPORT_SFTP_PASSWORD" in words
    )


def test_a_key_that_the_server_does_not_take_is_told_by_its_fingerprint(
    server: SftpServer, folder: Path
) -> None:
    other = {"EXPORT_SFTP_PRIVATE_KEY": OTHER.export_private_key().decode()}
    words = refused(open_store(server.url(folder), server.variables() | other), AccessDenied)
    assert (
        f"refuses to let user '{server.user}' in; tried: the key {OTHER.get_fingerprint()} of"
        " EXPORT_SFTP_PRIVATE_KEY"
    ) in words
    none = {"EXPORT_SFTP_PRIVATE_KEY": ""}
    words = refused(open_store(server.url(folder), server.variables() | none), AccessDenied)
    assert "tried: the keys of ssh-agent and ~/.ssh" in words


@pytest.mark.parametrize("known", [OTHER, OTHER_RSA], ids=["same kind", "other kind"])
def test_a_host_key_that_changed_is_told_with_both_fingerprints_and_what_to_do(
    server: SftpServer, folder: Path, known: asyncssh.SSHKey, home: Path
) -> None:
    shown = asyncssh.import_public_key(server.host_key)
    expected = (
        "cannot be trusted: its HOST KEY HAS CHANGED. Known is"
        f" {known.get_algorithm()} {known.get_fingerprint()}; it shows ssh-ed25519"
        f" {shown.get_fingerprint()}. Somebody may stand between: ask its administrator, and only"
        " if the key was renewed put the new one into "
    )
    variable = server.variables() | {"EXPORT_SFTP_HOST_KEY": public(known)}
    words = refused(open_store(server.url(folder), variable), StoreError)
    assert words.endswith(f"{expected}EXPORT_SFTP_HOST_KEY")
    file = home / "hosts"
    file.write_text(f"{LOOPBACK} {public(known)}")
    from_file = {**variable, "EXPORT_SFTP_HOST_KEY": "", "EXPORT_SFTP_KNOWN_HOSTS": str(file)}
    words = refused(open_store(server.url(folder), from_file), StoreError)
    assert words.endswith(f"{expected}{file}")


def test_of_several_known_keys_the_server_may_show_any(server: SftpServer, folder: Path) -> None:
    several = f"{public(OTHER_RSA)}\n{server.host_key}\n"
    works(open_store(server.url(folder), server.variables() | {"EXPORT_SFTP_HOST_KEY": several}))


def test_an_unknown_server_is_not_trusted_and_what_makes_it_known_is_told(
    server: SftpServer, folder: Path
) -> None:
    unset = {**server.variables(), "EXPORT_SFTP_HOST_KEY": ""}
    words = refused(open_store(server.url(folder), unset), StoreError)
    line = " ".join(server.host_key.split()[:2])
    assert "its host key is not in ~/.ssh/known_hosts. It shows ssh-ed25519 SHA256:" in words
    assert words.endswith(f"set EXPORT_SFTP_HOST_KEY='{line}'")
    works(open_store(server.url(folder), {**unset, "EXPORT_SFTP_HOST_KEY": line}))


def test_checking_is_turned_off_by_its_variable_alone(server: SftpServer, folder: Path) -> None:
    off = {"EXPORT_SFTP_HOST_KEY": "", "EXPORT_SFTP_HOST_KEY_CHECKING": "false"}
    store = open_store(server.url(folder), server.variables() | off)
    works(store)
    assert len(store.capabilities.cautions) == 1
    assert open_store(server.url(folder), server.variables()).capabilities.cautions == ()


def test_a_revoked_host_key_is_not_trusted(server: SftpServer, folder: Path, home: Path) -> None:
    file = home / "hosts"
    file.write_text(f"{LOOPBACK} {server.host_key}\n@revoked * {server.host_key}")
    variables = {
        **server.variables(),
        "EXPORT_SFTP_HOST_KEY": "",
        "EXPORT_SFTP_KNOWN_HOSTS": str(file),
    }
    words = refused(open_store(server.url(folder), variables), StoreError)
    assert "cannot be trusted: Host key is revoked" in words


def test_a_server_without_sftp_is_told_apart() -> None:
    with running_asyncssh(has_sftp=False) as (server, _):
        store = open_store(server.url(server.new_folder()), server.variables())
        assert "lets user 'archivist' in and gives no SFTP" in refused(store, StoreError)


def test_a_server_that_is_not_there_is_transient_and_names_what_to_look_at(
    http_port: int, sshd: SftpServer
) -> None:
    for address in (f"{LOOPBACK}:1", "no-such-host.invalid", f"{LOOPBACK}:{http_port}"):
        store = open_store(f"sftp://user@{address}/archive", sshd.variables())
        words = refused(store, StoreUnavailable)
        assert words.startswith(f"{address} gives no connection: ")
        assert words.endswith("is it up, and EXPORT_STORAGE_URL right?")
