import asyncio
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from export_pipeline.errors import ConfigError
from export_pipeline.settings import Settings
from export_pipeline.storage.open import open_store
from export_pipeline.storage.options import read_options
from export_pipeline.storage.sftp.options import SftpOptions
from export_pipeline.storage.sftp.place import find_login
from export_pipeline.storage.store import Store

URL = "sftp://archivist@sftp.example.org/srv/archive"
KEY = asyncssh.generate_private_key("ssh-ed25519")
PRIVATE = KEY.export_private_key().decode()
OTHER = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
PUBLIC = KEY.export_public_key().decode()
LENT = {
    "EXPORT_CLOUDCONVERT_SFTP_USERNAME": "cloudconvert",
    "EXPORT_CLOUDCONVERT_SFTP_PASSWORD": "lent-secret",
}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (
            {"EXPORT_SFTP_PRIVATE_KEY": PRIVATE, "EXPORT_SFTP_PRIVATE_KEY_FILE": "key"},
            "EXPORT_SFTP_PRIVATE_KEY and EXPORT_SFTP_PRIVATE_KEY_FILE: set only one",
        ),
        ({"EXPORT_SFTP_PASSPHRASE": "x"}, "EXPORT_SFTP_PASSPHRASE belongs to"),
        (
            {"EXPORT_SFTP_HOST_KEY": PUBLIC, "EXPORT_SFTP_KNOWN_HOSTS": "hosts"},
            "EXPORT_SFTP_HOST_KEY and EXPORT_SFTP_KNOWN_HOSTS: set only one",
        ),
        (
            {"EXPORT_SFTP_HOST_KEY": PUBLIC, "EXPORT_SFTP_HOST_KEY_CHECKING": "false"},
            "EXPORT_SFTP_HOST_KEY_CHECKING=false would not look at EXPORT_SFTP_HOST_KEY",
        ),
        (
            {"EXPORT_SFTP_KNOWN_HOSTS": "hosts", "EXPORT_SFTP_HOST_KEY_CHECKING": "no"},
            "EXPORT_SFTP_HOST_KEY_CHECKING=false would not look at",
        ),
        ({"EXPORT_SFTP_HOST_KEY_CHECKING": "maybe"}, "EXPORT_SFTP_HOST_KEY_CHECKING: "),
        ({"EXPORT_SFTP_PRIVATE_KEY": "very-secret"}, "EXPORT_SFTP_PRIVATE_KEY: the private key"),
        ({"EXPORT_SFTP_PRIVATE_KEY": PUBLIC}, "EXPORT_SFTP_PRIVATE_KEY: the private key"),
        (
            {"EXPORT_SFTP_PRIVATE_KEY_FILE": "/nowhere/key"},
            "EXPORT_SFTP_PRIVATE_KEY_FILE: /nowhere/key cannot be read: No such file",
        ),
        (
            {"EXPORT_SFTP_HOST_KEY": "SHA256:very-secret"},
            "EXPORT_SFTP_HOST_KEY: write a public key",
        ),
        (
            {"EXPORT_SFTP_KNOWN_HOSTS": "/nowhere/hosts"},
            "EXPORT_SFTP_KNOWN_HOSTS: /nowhere/hosts cannot be read: No such file",
        ),
        ({"EXPORT_SFTP_PASWORD": "very-secret"}, "EXPORT_SFTP_PASWORD: Extra inputs"),
        (
            {"EXPORT_CLOUDCONVERT_SFTP_PASSWORD": "very-secret"},
            "EXPORT_CLOUDCONVERT_SFTP_USERNAME is not set",
        ),
        ({"EXPORT_CLOUDCONVERT_SFTP_PORT": "22"}, "EXPORT_CLOUDCONVERT_SFTP_USERNAME is not set"),
        ({**LENT, "EXPORT_CLOUDCONVERT_SFTP_PORT": "65536"}, "EXPORT_CLOUDCONVERT_SFTP_PORT: "),
        (
            {"EXPORT_CLOUDCONVERT_SFTP_USERNAME": "cloudconvert"},
            "EXPORT_CLOUDCONVERT_SFTP_USERNAME needs either",
        ),
        (
            {**LENT, "EXPORT_CLOUDCONVERT_SFTP_PRIVATE_KEY": OTHER},
            "EXPORT_CLOUDCONVERT_SFTP_USERNAME needs either",
        ),
        (
            {**LENT, "EXPORT_SFTP_PASSWORD": "lent-secret"},
            "EXPORT_CLOUDCONVERT_SFTP_PASSWORD: the archive's own password is never given",
        ),
        (
            {
                "EXPORT_SFTP_PRIVATE_KEY": PRIVATE,
                "EXPORT_CLOUDCONVERT_SFTP_USERNAME": "cloudconvert",
                "EXPORT_CLOUDCONVERT_SFTP_PRIVATE_KEY": KEY.export_private_key(
                    "pkcs8-pem"
                ).decode(),
            },
            "EXPORT_CLOUDCONVERT_SFTP_PRIVATE_KEY: the archive's own key is never given",
        ),
        (
            {
                "EXPORT_CLOUDCONVERT_SFTP_USERNAME": "cloudconvert",
                "EXPORT_CLOUDCONVERT_SFTP_PRIVATE_KEY": KEY.export_private_key(
                    "pkcs8-pem", passphrase="p"
                ).decode(),
            },
            "EXPORT_CLOUDCONVERT_SFTP_PRIVATE_KEY: the private key cannot be read: .*[Pp]assphrase",
        ),
    ],
)
def test_what_is_impossible_is_refused_by_the_name_of_its_variable(
    wrong: dict[str, str], named: str
) -> None:
    with pytest.raises(ConfigError, match=named) as told:
        open_store(URL, wrong)
    assert "secret" not in str(told.value)
    assert "PRIVATE KEY-----" not in str(told.value)


@pytest.mark.parametrize(
    "url",
    [
        "sftp://",
        "sftp://host/path",
        "sftp:///path",
        "sftp://user@/path",
        "sftp://user:secret@host/path",
        "sftp://user:@host/path",
        "sftp://user@host:secret/path",
        "sftp://user@host:70000/path",
        "sftp://user@host/path?secret",
        "sftp://user@host/path#secret",
    ],
)
def test_a_url_that_is_no_user_host_and_path_is_refused(url: str) -> None:
    with pytest.raises(
        ConfigError, match="EXPORT_STORAGE_URL: write it as sftp://user@host/path"
    ) as told:
        open_store(url)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("path", ["a/../b", "a//b", "%2e%2e/b", "a%0ab"])
def test_a_path_that_is_no_plain_one_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="EXPORT_STORAGE_URL: the path"):
        open_store(f"sftp://user@host/{path}")


@pytest.mark.parametrize(
    ("url", "printed"),
    [
        ("sftp://user@Host", "sftp://host"),
        ("sftp://user@host/", "sftp://host"),
        ("sftp://user@host:22/a/", "sftp://host/a"),
        ("sftp://a%40b@host:2222/my%20archive%23/x", "sftp://host:2222/my%20archive%23/x"),
        ("sftp://user@[::1]:2222/a", "sftp://[::1]:2222/a"),
        ("sftp://user@[::1]/a", "sftp://[::1]/a"),
    ],
)
def test_a_store_is_told_by_its_server_and_folder_without_the_user(url: str, printed: str) -> None:
    assert open_store(url).url == printed


def test_cloudconvert_is_given_nothing_without_a_user_of_its_own() -> None:
    assert open_store(URL, {"EXPORT_SFTP_PASSWORD": "x"}).cloudconvert(".incoming/a.pdf") is None


def test_cloudconvert_is_given_the_arguments_of_its_export_and_never_our_own_login() -> None:
    own = {"EXPORT_SFTP_PASSWORD": "very-secret", "EXPORT_SFTP_PRIVATE_KEY": PRIVATE}
    assert open_store(URL, own | LENT).cloudconvert(".incoming/a/file.pdf") == (
        "export/sftp",
        {
            "host": "sftp.example.org",
            "port": 22,
            "username": "cloudconvert",
            "password": "lent-secret",
            "file": "/srv/archive/.incoming/a/file.pdf",
        },
    )
    with_key = {
        "EXPORT_CLOUDCONVERT_SFTP_USERNAME": "cloudconvert",
        "EXPORT_CLOUDCONVERT_SFTP_PRIVATE_KEY": OTHER,
        "EXPORT_CLOUDCONVERT_SFTP_HOST": "public.example.org",
        "EXPORT_CLOUDCONVERT_SFTP_PORT": "2222",
        "EXPORT_CLOUDCONVERT_SFTP_PATH": "/",
    }
    assert open_store(URL, own | with_key).cloudconvert("file.pdf") == (
        "export/sftp",
        {
            "host": "public.example.org",
            "port": 2222,
            "username": "cloudconvert",
            "private_key": OTHER,
            "file": "/file.pdf",
        },
    )


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """OpenSSH's own, without keys."""
    program = shutil.which("ssh-agent")
    if program is None:
        pytest.skip("no ssh-agent here: `apt-get install openssh-client`")
    path = str(tmp_path / "agent")
    with subprocess.Popen([program, "-D", "-a", path], stdout=subprocess.DEVNULL) as process:
        while not Path(path).exists():
            assert process.poll() is None
            time.sleep(0.01)
        monkeypatch.setenv("SSH_AUTH_SOCK", path)
        yield path
        process.terminate()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a user without keys."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / ".ssh").mkdir()
    return tmp_path


def lending(key: str, **own: str) -> Store:
    return open_store(
        URL,
        {
            "EXPORT_CLOUDCONVERT_SFTP_USERNAME": "cloudconvert",
            "EXPORT_CLOUDCONVERT_SFTP_PRIVATE_KEY": key,
            **own,
        },
    )


def require_refused(store: Store) -> None:
    with pytest.raises(ConfigError, match="PRIVATE_KEY: the archive's own key is never given"):
        store.cloudconvert(".incoming/a")


def test_our_own_key_is_not_lent_where_it_has_a_passphrase() -> None:
    own = {
        "EXPORT_SFTP_PRIVATE_KEY": KEY.export_private_key(passphrase="pw").decode(),
        "EXPORT_SFTP_PASSPHRASE": "pw",
    }
    require_refused(lending(PRIVATE, **own))
    assert lending(OTHER, **own).cloudconvert(".incoming/a") is not None


def test_a_key_in_the_home_is_not_lent_unless_another_way_in_is_set(home: Path) -> None:
    (home / ".ssh" / "id_ed25519").write_text(PRIVATE)
    require_refused(lending(PRIVATE))
    assert lending(OTHER).cloudconvert(".incoming/a") is not None
    assert lending(PRIVATE, EXPORT_SFTP_PASSWORD="x").cloudconvert(".incoming/a") is not None


def test_a_key_of_the_agent_is_not_lent_even_from_within_an_event_loop(agent: str) -> None:
    async def scenario() -> None:
        async with asyncssh.connect_agent(agent) as client:
            await client.add_keys([KEY])
        require_refused(lending(PRIVATE))
        assert lending(OTHER).cloudconvert(".incoming/a") is not None

    asyncio.run(scenario())


def test_settings_carry_the_variables_and_never_show_them(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(PRIVATE)
    variables = {"EXPORT_SFTP_PASSWORD": "very-secret", "EXPORT_SFTP_PRIVATE_KEY_FILE": str(file)}
    settings = Settings.from_env({**variables, "EXPORT_STORAGE_URL": URL})
    assert settings.storage_variables == variables
    options = read_options(SftpOptions, variables)
    login = find_login(options)
    assert login.key == PRIVATE
    for shown in (repr(settings), settings.model_dump_json(), repr(options), repr(login)):
        assert "very-secret" not in shown
        assert "PRIVATE KEY-----" not in shown


def test_without_the_packages_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module", name="asyncssh")

    monkeypatch.setattr("export_pipeline.storage.open.import_module", missing)
    with pytest.raises(ConfigError, match=r"'asyncssh'.*pip install 'export-pipeline\[sftp\]'"):
        open_store(URL)
