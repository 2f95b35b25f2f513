"""A backend's own options, read from environment variables: field by field, in words if wrong."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar, get_args, get_origin
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Secret,
    SecretBytes,
    SecretStr,
    ValidationError,
)

from export_pipeline.errors import ConfigError
from export_pipeline.validation import in_words

_WEB = {"http", "https"}


def header_value(text: str) -> str:
    """Return `text` if a header can hold it.

    Raises:
        ValueError: it cannot.
    """
    if not (text.isascii() and text.isprintable()) or text != text.strip():
        raise ValueError("it goes into a header: use printable ASCII without spaces around it")
    return text


def _json_object(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError('it is not JSON: write an object such as {"team": "research"}') from None


def split_url(url: str) -> SplitResult:
    """Split a URL; a web address has a host and port then that can be called.

    Raises:
        ValueError: it cannot be split, or called; the text never repeats it: it may hold secrets.
    """
    try:
        parts = urlsplit(url)
        # Others name a bucket where a web address has its host.
        if parts.scheme in _WEB:
            (parts.hostname or "").encode("idna")
            parts.port  # noqa: B018  it raises where it is none
    except ValueError:
        raise ValueError(
            "its host or port cannot be read: write host or host:port, an IPv6 address as [::1]"
        ) from None
    return parts


def _endpoint(url: str) -> str:
    parts = split_url(url)
    if parts.scheme not in _WEB or not parts.hostname:
        raise ValueError("write it as https://host or https://host:port")
    if parts.username is not None or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("write only scheme, host and port: credentials have their own variables")
    return url.rstrip("/")


def _moment(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Header = Annotated[str, AfterValidator(header_value)]
JsonObject = Annotated[Mapping[str, str], BeforeValidator(_json_object)]
Endpoint = Annotated[str, AfterValidator(_endpoint)]
Moment = Annotated[datetime, AfterValidator(_moment)]

Options = TypeVar("Options", bound="StoreOptions")


class StoreOptions(BaseModel):
    """Base of every backend's options: a field's alias is its variable, secrets are `SecretStr`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    prefixes: ClassVar[tuple[str, str]]
    """With what the names of its variables begin: its own, and those lent to CloudConvert."""


def variable(name: str, meaning: str, *, default: Any = None) -> Any:
    """Declare a field that the environment variable `name` sets."""
    return Field(default=default, alias=name, description=meaning)


class Variable(NamedTuple):
    """An environment variable that sets a field.

    Args:
        is_secret: nothing shows its value; told by the field's type.
    """

    name: str
    meaning: str
    is_secret: bool = False


def declared(model: type[BaseModel], begin: str = "") -> Iterator[Variable]:
    """Every variable of a model.

    Args:
        begin: what stands before each alias in the environment.
    """
    for field in model.model_fields.values():
        if field.alias:
            is_secret = _holds_secret(field.annotation)
            yield Variable(begin + field.alias, field.description or "", is_secret)


def _holds_secret(kind: Any) -> bool:
    """Whether a value of this type has a secret in it: itself, an item, or a field of a model."""
    if (get_origin(kind) or kind) in (Secret, SecretBytes, SecretStr):
        return True
    fields = kind.model_fields.values() if _is_model(kind) else ()
    inside = [*get_args(kind), *(field.annotation for field in fields)]
    return any(map(_holds_secret, inside))


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def read_options(model: type[Options], variables: Mapping[str, str]) -> Options:
    """Read a backend's options; an empty variable is one that is not set, an unknown one wrong.

    Raises:
        ConfigError: names each variable that cannot be used and why, never its value.
    """
    given = {
        name: value
        for name, value in variables.items()
        if value and name.startswith(model.prefixes)
    }
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise ConfigError(in_words(error)) from None
