"""A disk that fills up while scans are archived onto it, and room that a person makes."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from export_pipeline_tests.defs.lab import Lab, lab, reason

SMALL_BYTES = 1024 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Lab]:
    """A laboratory whose archive lies on a disk of its own with room for a few files."""
    with lab(tmp_path, EXPORT_RUN_WAIT="2") as made:
        made.archive.mkdir(exist_ok=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_BYTES}", "tmpfs", str(made.archive)]
        try:
            subprocess.run(mount, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("mounting a small disk needs root: run the tests as root")
        try:
            yield made
        finally:
            subprocess.run(["umount", "--lazy", str(made.archive)], check=True)


def test_a_full_disk_costs_no_attempt_and_room_lets_everything_arrive(small_disk: Lab) -> None:
    ballast = small_disk.archive / "ballast"
    ballast.write_bytes(bytes(SMALL_BYTES - 8 * 1024))
    keys = small_disk.register(count=3)
    result = small_disk.materialize(keys)
    assert not result.success
    assert "make room on that disk" in reason(result)
    assert {small_disk.state(key) for key in keys} == {"ordered"}

    for _ in range(3):
        small_disk.end_rests()
        assert not small_disk.job("archive", partition_keys=keys).success
    assert {small_disk.state(key) for key in keys} == {"ordered"}

    ballast.unlink()
    small_disk.end_rests()
    assert small_disk.job("archive", partition_keys=keys).success
    assert {small_disk.state(key) for key in keys} == {"archived"}
