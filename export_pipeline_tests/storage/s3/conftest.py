import pytest

from export_pipeline.storage.open import open_store
from export_pipeline.storage.s3.store import S3Store
from export_pipeline_tests.servers.seaweedfs import SeaweedFS


@pytest.fixture
def bucket(seaweedfs: SeaweedFS) -> str:
    return seaweedfs.new_bucket()


@pytest.fixture
def store(seaweedfs: SeaweedFS, bucket: str) -> S3Store:
    opened = open_store(f"s3://{bucket}/my archive", seaweedfs.variables())
    assert isinstance(opened, S3Store)
    return opened
