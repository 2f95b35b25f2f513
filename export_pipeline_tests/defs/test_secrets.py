"""What a store's options say is secret is secret in Dagster too, and in no repr."""

from importlib import import_module

import pytest

from export_pipeline.defs import resources
from export_pipeline.defs.resources import PipelineSettings, Storage
from export_pipeline.storage.open import options_of
from export_pipeline.storage.options import declared

PLANTED = "planted-7f3a9c"


@pytest.mark.parametrize(
    ("scheme", "module", "name"),
    [(scheme, *where) for scheme, where in resources._STORAGES.items()],
)
def test_the_secret_fields_are_those_that_set_a_secret(scheme: str, module: str, name: str) -> None:
    kind = getattr(import_module(f"export_pipeline.defs.{module}"), name)
    model = options_of(f"{scheme}://")
    assert model is not None
    secret = {one.name for one in declared(model) if one.is_secret}
    fields = kind.to_config_schema().as_field().config_type.fields
    found = 0
    for field, config in fields.items():
        value = {"x-planted": PLANTED} if field == "headers" else PLANTED
        storage = _configured(kind, field, value)
        if storage is None:
            continue
        (variable,) = [one for one, text in storage.variables().items() if PLANTED in text]
        assert config.is_secret == (variable in secret), field
        assert (PLANTED not in repr(storage)) == config.is_secret
        found += config.is_secret
    assert found


def _configured(kind: type[Storage], field: str, value: object) -> Storage | None:
    """The resource with this field set; None if the field is no text or sets no variable."""
    try:
        storage = kind(settings=PipelineSettings(), **{field: value})
    except ValueError:
        return None
    return storage if any(PLANTED in text for text in storage.variables().values()) else None
