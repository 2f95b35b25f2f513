"""The README stays true: its table of variables is the settings', its commands exist."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel
from typer.main import get_command

from export_pipeline.cli import app
from export_pipeline.home_keys import HOME_VARIABLE
from export_pipeline.settings import Settings
from export_pipeline.storage.open import BACKENDS, options_of
from export_pipeline.vendors.open import VARIABLES, vendor_variables

README = Path(__file__).parents[1] / "README.md"
ROW = re.compile(r"^\| `(EXPORT_\w+)` \| (.*?) \| (.*?) \|$", re.MULTILINE)
COMMAND = re.compile(r"export-pipeline ([a-z]+)")


def documented() -> dict[str, tuple[str, str]]:
    """Variable -> its default and its meaning, as the README has them."""
    return {name: (default, meaning) for name, default, meaning in ROW.findall(README.read_text())}


STORE_OPTIONS = list(
    dict.fromkeys(model for scheme in BACKENDS if (model := options_of(f"{scheme}://")))
)


ACCOUNT_PREFIXES: dict[type[BaseModel], str] = {
    account: options.prefix for options, account in VARIABLES
}
VENDOR_MODELS = [model for models in VARIABLES for model in models]


@pytest.mark.parametrize("model", [Settings, *STORE_OPTIONS, *VENDOR_MODELS])
def test_every_setting_is_in_the_table_with_its_default_and_meaning(
    model: type[BaseModel],
) -> None:
    table = documented()
    begin = ACCOUNT_PREFIXES.get(model, "")
    for field in model.model_fields.values():
        if field.alias is None:
            continue
        default, meaning = table[begin + field.alias]
        assert meaning == field.description
        shown = field.default
        if field.is_required() or shown in (None, "", (), {}):
            assert default == ""
        elif isinstance(shown, tuple):
            assert default == f"`{' '.join(shown)}`"
        elif isinstance(shown, bool):
            assert default == f"`{str(shown).lower()}`"
        else:
            assert default == f"`{shown:g}`" if isinstance(shown, float) else f"`{shown}`"


def test_the_table_has_no_variable_that_nothing_reads() -> None:
    models = (Settings, *STORE_OPTIONS)
    fields = [field for model in models for field in model.model_fields.values()]
    known = {field.alias for field in fields if field.alias}
    known |= {one.name for one in vendor_variables({})}
    assert set(documented()) - known == {HOME_VARIABLE}


def test_every_command_that_the_readme_names_exists() -> None:
    commands = set(get_command(app).commands)  # type: ignore[attr-defined]
    named = set(COMMAND.findall(README.read_text()))
    assert named
    assert named <= commands
