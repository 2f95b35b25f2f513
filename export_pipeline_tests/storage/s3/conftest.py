from pathlib import Path

import pytest

from export_pipeline.storage.open import open_store
from export_pipeline.storage.s3 import multipart
from export_pipeline.storage.s3.store import S3Store
from export_pipeline_tests.servers.seaweedfs import SeaweedFS
from export_pipeline_tests.storage.s3.faults import PART_BYTES, S3Upstream


@pytest.fixture
def bucket(seaweedfs: SeaweedFS) -> str:
    return seaweedfs.new_bucket()


@pytest.fixture
def store(seaweedfs: SeaweedFS, bucket: str) -> S3Store:
    opened = open_store(f"s3://{bucket}/my archive", seaweedfs.variables())
    assert isinstance(opened, S3Store)
    return opened


@pytest.fixture
def upstream(seaweedfs: SeaweedFS, bucket: str, monkeypatch: pytest.MonkeyPatch) -> S3Upstream:
    monkeypatch.setattr(multipart, "PART_BYTES", PART_BYTES)
    return S3Upstream(seaweedfs, bucket)


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which Amazon's default chain finds nothing."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
