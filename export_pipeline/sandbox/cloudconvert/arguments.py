"""What is wrong with the arguments of a task, in the vendor's words (FACTS 4.6)."""

from collections.abc import Mapping
from typing import Any

from export_pipeline.sandbox.cloudconvert.operations import Argument, Kind, Operation

Json = Mapping[str, Any]
HIGHEST_PORT = 65535


def errors_of(operation: Operation, given: Json) -> dict[str, list[str]]:
    """What is wrong with the arguments given, by field; empty where nothing is."""
    found = {
        name: text
        for name, argument in operation.arguments.items()
        if (text := _error(name, argument, given))
    }
    for name, other in operation.excluding:
        if _has(given, name) and _has(given, other):
            found[name] = f"The {_words(name)} field cannot be used with {_words(other)}."
    if not operation.open:
        unknown = given.keys() - operation.arguments.keys()
        found |= {name: f"The {_words(name)} field is not known." for name in sorted(unknown)}
    return {name: [text] for name, text in found.items()}


def _error(name: str, argument: Argument, given: Json) -> str:
    value, words = given.get(name), _words(name)
    if not _has(given, name):
        if argument.required:
            return f"The {words} field is required."
        if argument.unless and not _has(given, argument.unless):
            return f"The {words} field is required when {_words(argument.unless)} is not present."
        return ""
    if not _is_of(argument.kind, value):
        kind = "string or array" if argument.kind == "input" else argument.kind
        return f"The {words} must be a {kind}."
    if argument.choices and value not in argument.choices:
        return f"The selected {words} is invalid."
    return ""


def _is_of(kind: Kind, value: object) -> bool:
    match kind:
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return type(value) is int and 0 < value <= HIGHEST_PORT
        case "array":
            return isinstance(value, Mapping) and all(
                isinstance(one, str) for one in value.values()
            )
        case "input":
            several = value if isinstance(value, list) else [value]
            return bool(several) and all(isinstance(one, str) and one for one in several)
    return isinstance(value, str)


def _has(given: Json, name: str) -> bool:
    return given.get(name) not in (None, "", [])


def _words(name: str) -> str:
    return name.replace("_", " ")
