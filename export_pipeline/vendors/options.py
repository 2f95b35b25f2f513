"""A vendor's own variables: its options, and its accounts, each a set of credentials by name."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from export_pipeline.errors import ConfigError
from export_pipeline.scans import DEFAULT_ACCOUNT
from export_pipeline.settings import ACCOUNT_NAME, STORE_PREFIXES
from export_pipeline.storage.options import Variable, declared
from export_pipeline.validation import in_words

ACCOUNTS = "ACCOUNTS"
"""Suffix of the variable that names the accounts beside the default one."""
_SEPARATORS = re.compile(r"[,\s]+")


class VendorOptions(BaseModel):
    """Base of a vendor's options: a field's alias is its variable, its description the help."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    prefix: ClassVar[str]
    """With what the names of all its variables begin, e.g. `EXPORT_HOOKBRIDGE_`."""


class VendorAccount(BaseModel):
    """Base of a vendor's credentials under one name; a field's alias is the end of its variable.

    `EXPORT_HOOKBRIDGE_KEY` is the default account's, `EXPORT_HOOKBRIDGE_EU_KEY` that of `eu`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str


Options = TypeVar("Options", bound=VendorOptions)
Account = TypeVar("Account", bound=VendorAccount)


def variable(name: str, meaning: str, *, default: Any, **limits: Any) -> Any:
    """Declare an option that the variable of that name sets."""
    return Field(default=default, alias=name, description=meaning, **limits)


def part(suffix: str, meaning: str, **limits: Any) -> Any:
    """Declare a field of an account that variables ending in `suffix` set."""
    return Field(alias=suffix, description=meaning, **limits)


def read_options(model: type[Options], variables: Mapping[str, str]) -> Options:
    """Read a vendor's options; an empty variable is one that is not set.

    Raises:
        ConfigError: names each variable that cannot be used and why, never its value.
    """
    names = {field.alias for field in model.model_fields.values()}
    given = {name: value for name, value in variables.items() if value and name in names}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise ConfigError(in_words(error)) from None


@dataclass(frozen=True)
class Configured(Generic[Options, Account]):
    """What the variables of a vendor come to.

    Args:
        options: all at their defaults if one of them is wrong,
        accounts: and then none, since what was meant by it cannot be guessed.
        wrong: the names of those that cannot be used, each with why and what to set.
    """

    options: Options
    accounts: Sequence[Account]
    wrong: Mapping[str, str]


def configure(
    options: type[Options], account: type[Account], variables: Mapping[str, str]
) -> Configured[Options, Account]:
    """Read what is set of a vendor; an account that is set wrongly harms no other."""
    try:
        found = read_options(options, variables)
    except ConfigError as error:
        names = account_names(options.prefix, variables)
        return Configured(options(), (), dict.fromkeys(names, str(error)))
    return Configured(found, *read_accounts(options.prefix, account, variables))


def read_accounts(
    prefix: str, model: type[Account], variables: Mapping[str, str]
) -> tuple[Sequence[Account], Mapping[str, str]]:
    """Read every account: the default one if anything of it is set, and all that are named.

    Returns:
        the accounts, and the names of those that cannot be used, each with why and what to set.
    """
    found: list[Account] = []
    wrong: dict[str, str] = {}
    for name in account_names(prefix, variables):
        try:
            account = _read_account(prefix, model, name, variables)
        except ConfigError as error:
            wrong[name] = str(error)
        else:
            found += [account] if account is not None else []
    return found, wrong


def account_names(prefix: str, variables: Mapping[str, str]) -> list[str]:
    """The default account and those that `<prefix>ACCOUNTS` names, as they stand there."""
    listed = variables.get(prefix + ACCOUNTS, "").strip(", ")
    return list(dict.fromkeys([DEFAULT_ACCOUNT, *(_SEPARATORS.split(listed) if listed else [])]))


def account_variables(prefix: str, model: type[VendorAccount], name: str) -> Iterator[Variable]:
    """Every variable of the account of that name."""
    return declared(model, prefix + infix(name))


def infix(name: str) -> str:
    """What stands in an account's variables between the prefix and the part."""
    return "" if name == DEFAULT_ACCOUNT else f"{name.upper().replace('-', '_')}_"


def _read_account(
    prefix: str, model: type[Account], name: str, variables: Mapping[str, str]
) -> Account | None:
    begin = prefix + infix(name)
    if not ACCOUNT_NAME.fullmatch(name) or begin.startswith(STORE_PREFIXES):
        raise ConfigError(
            f"{prefix}{ACCOUNTS}: {name!r} cannot be an account's name: use 1 to 31 of"
            " a-z 0-9 _ -, beginning with a letter or digit, and no store's name"
        )
    parts = [field.alias for field in model.model_fields.values() if field.alias]
    given = {part: value for part in parts if (value := variables.get(begin + part))}
    if not given and name == DEFAULT_ACCOUNT:
        return None
    try:
        return model.model_validate({"name": name, **given})
    except ValidationError as error:
        raise ConfigError(in_words(error, begin, needs=f"account {name!r}")) from None
