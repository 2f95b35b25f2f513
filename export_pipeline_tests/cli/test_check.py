import pytest
from pydantic import SecretStr

from export_pipeline.storage.s3.options import S3Options
from export_pipeline_tests.cli.conftest import Command

FIELDS = [field for field in S3Options.model_fields.values() if field.alias]
SECRETS = [field.alias for field in FIELDS if field.annotation == SecretStr | None]


def test_the_variables_of_the_store_in_use_are_told_and_none_of_its_secrets(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_STORAGE_URL", "s3://bucket/prefix")
    monkeypatch.setenv("EXPORT_S3_REGION", "eu-west-1")
    monkeypatch.setenv(
        "EXPORT_S3_ENDPOINT", "https://user:in-the-url@s3.example.com?key=in-the-url"
    )
    for name in SECRETS:
        monkeypatch.setenv(str(name), "the-secret")
    told = command("check", "--json")
    variables = told.json["variables"]
    assert {field.alias for field in FIELDS} <= set(variables)
    assert len(SECRETS) == 4
    assert {variables[name] for name in SECRETS} == {"set"}
    assert variables["EXPORT_S3_REGION"] == "eu-west-1"
    assert variables["EXPORT_S3_ENDPOINT"] == "https://s3.example.com"
    shown = told.stdout + command("check").stdout
    assert "Region of the bucket" in shown
    assert "the-secret" not in shown
    assert "in-the-url" not in shown


def test_the_variables_of_a_store_that_is_not_in_use_are_not_told(command: Command) -> None:
    assert not any("S3" in name for name in command("check", "--json").json["variables"])
