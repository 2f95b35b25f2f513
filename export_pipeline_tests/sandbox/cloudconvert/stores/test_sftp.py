"""export/sftp and import/sftp against OpenSSH, and a server that takes passwords."""

from pathlib import Path

import pytest

from export_pipeline_tests.sandbox.cloudconvert.api import HOSTILE_NAME, Api, Json
from export_pipeline_tests.sandbox.cloudconvert.stores.files import (
    EMPTY,
    HOSTILE,
    LETTER,
    brought,
    done,
    failed,
)
from export_pipeline_tests.servers.asyncssh_sftp import PASSWORD
from export_pipeline_tests.servers.sshd import LOOPBACK, SftpServer

NAME = HOSTILE_NAME


@pytest.fixture
def folder(sshd: SftpServer) -> Path:
    return sshd.new_folder()


@pytest.fixture
def given(sshd: SftpServer) -> Json:
    return {
        "host": LOOPBACK,
        "port": sshd.port,
        "username": sshd.user,
        "private_key": sshd.private_key,
    }


def stored(folder: Path) -> dict[str, bytes]:
    files = [one for one in folder.rglob("*") if one.is_file()]
    return {str(one.relative_to(folder)): one.read_bytes() for one in files}


def test_a_file_is_stored_by_its_name_and_its_folders_are_made_only_if_the_option_says_so(
    api: Api, folder: Path, given: Json
) -> None:
    name = f"a b/=2e/{NAME}"
    failed(api.exported("export/sftp", LETTER, **given, file=f"{folder}/{name}"))
    assert stored(folder) == {}
    api.control("POST", "/options", {"sftp_folders": "made"})
    task = api.exported("export/sftp", LETTER, **given, file=f"{folder}/{name}")
    assert done(task) == ["letter.txt"]
    assert stored(folder) == {name: b"Dear reader,\n"}
    found = brought(api, "import/sftp", **given, file=f"{folder}/{name}")
    assert found == {NAME: b"Dear reader,\n"}


@pytest.mark.parametrize("end", ["", "/"])
def test_several_files_are_numbered_or_keep_their_names(
    api: Api, folder: Path, given: Json, end: str
) -> None:
    files = (LETTER, HOSTILE, EMPTY)
    api.control("POST", "/options", {"sftp_folders": "made"})
    done(api.exported("export/sftp", *files, **given, file=f"{folder}/my-%d"))
    done(api.exported("export/sftp", *files, **given, path=f"{folder}/in{end}"))
    assert set(stored(folder)) == {
        *("my-1", "my-2", "my-3"),
        *("in/letter.txt", f"in/{NAME}", "in/empty.bin"),
    }
    assert len(brought(api, "import/sftp", **given, path=f"{folder}/in{end}")) == 3
    assert len(brought(api, "import/sftp", **given, path=str(folder))) == 3


def test_a_password_does_too(api: Api, password_server: SftpServer) -> None:
    given = {"host": LOOPBACK, "port": password_server.port, "username": password_server.user}
    api.control("POST", "/options", {"sftp_folders": "made"})
    done(api.exported("export/sftp", LETTER, **given, password=PASSWORD, file="/in/a.txt"))
    assert (password_server.files / "in" / "a.txt").read_bytes() == b"Dear reader,\n"
    message = failed(api.exported("export/sftp", LETTER, **given, password="wrong", file="/b"))
    assert PASSWORD not in message


@pytest.mark.parametrize(
    "changes",
    [
        {"private_key": "no key"},
        {"username": "somebody-else"},
        {"port": 1},
        {"file": "/not/allowed"},
    ],
)
def test_what_the_server_refuses_fails_the_task(
    api: Api, folder: Path, given: Json, changes: Json
) -> None:
    arguments = {"file": f"{folder}/a.txt", **given, **changes}
    message = failed(api.exported("export/sftp", LETTER, **arguments))
    assert given["private_key"] not in message
    assert stored(folder) == {}
