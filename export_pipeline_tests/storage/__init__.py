import pytest

pytest.register_assert_rewrite("export_pipeline_tests.storage.conformance")
