"""Laserfiche's own OpenAPI document (`openapi.json`, of 2023-09-19), as a judge of both sides.

Taken as JSON Schema, with what the document and the wire differ in set right:

- `nullable` is no word of JSON Schema;
- `Entry` demands a key `entry Type`, with a space, which is a device of the vendor's generator of
  clients: the wire has `entryType`, and an entry may be told as any of its types;
- a type that extends another forbids the other's fields: the two are made one;
- OData's own members beside `@odata.nextLink` and `@odata.count` are not in the document.
"""

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from jsonschema import Draft202012Validator, FormatChecker

DOCUMENT = Path(__file__).with_name("openapi.json")
_REFERENCE = "#/components/schemas/"
_INT32 = {"minimum": -(2**31), "maximum": 2**31 - 1}

Json = dict[str, Any]


@lru_cache(maxsize=1)
def document() -> Json:
    return json.loads(DOCUMENT.read_text())


def request_problems(method: str, url: str, body: Any = None) -> list[str]:
    """What the document finds wrong with a request; `url` begins with `/v2/`."""
    parts = urlsplit(url)
    operation, path_values = _operation(method, parts.path)
    given = parse_qs(parts.query, keep_blank_values=True)
    known = {one["name"]: one for one in operation.get("parameters", ())}
    found = [f"query {name}: not in the document" for name in given if name not in known]
    for name, parameter in known.items():
        value: Any = path_values.get(name)
        if parameter["in"] == "query" and name in given:
            is_list = parameter["schema"].get("type") == "array"
            value = given[name] if is_list else given[name][0]
        if value is None:
            found += [f"{name}: missing"] if parameter.get("required") else []
        else:
            found += _problems(_typed(value, parameter["schema"]), parameter["schema"])
    wanted = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if (wanted is None) != (body is None):
        found.append("body: missing, or not in the document")
    return found + (_problems(body, wanted["schema"]) if wanted and body is not None else [])


def response_problems(method: str, url: str, status: int, body: Any) -> list[str]:
    """What the document finds wrong with an answer; `url` begins with `/v2/`."""
    operation, _ = _operation(method, urlsplit(url).path)
    told = operation["responses"].get(str(status))
    if told is None:
        return [f"status {status}: not in the document"]
    return _problems(_without_odata(body), told["content"]["application/json"]["schema"])


def _operation(method: str, path: str) -> tuple[Json, dict[str, str]]:
    for template, methods in document()["paths"].items():
        names = re.findall(r"\{(\w+)\}", template)
        found = re.fullmatch(re.sub(r"\{\w+\}", "([^/]+)", template), path)
        is_literal = found and "ByPath" not in found.groups()
        if is_literal and method.lower() in methods:
            values = dict(zip(names, map(unquote, found.groups()), strict=True))
            return methods[method.lower()], values
    raise AssertionError(f"{method} {path} is not in the document")


def _typed(value: Any, schema: Json) -> Any:
    if schema.get("type") == "integer" and re.fullmatch(r"-?\d+", value):
        return int(value)
    if schema.get("type") == "boolean":
        return {"true": True, "false": False}.get(value, value)
    return value


def _problems(value: Any, schema: Json) -> list[str]:
    whole = {**_schema(schema), "$defs": _definitions()}
    judge = Draft202012Validator(whole, format_checker=FormatChecker())
    return [f"{one.json_path}: {one.message}" for one in judge.iter_errors(value)]


@lru_cache(maxsize=1)
def _definitions() -> Json:
    schemas = document()["components"]["schemas"]
    made = {name: _schema(_merged(schema)) for name, schema in schemas.items()}
    types = [{"$ref": f"#/$defs/{name}"} for name in schemas["EntryType"]["enum"]]
    return {**made, "Entry": {"anyOf": [made["Entry"], *types]}}


def _merged(schema: Json) -> Json:
    """A type with the fields of the one that it extends."""
    if "allOf" not in schema:
        return schema
    base, own = schema["allOf"]
    fields = document()["components"]["schemas"][base["$ref"].removeprefix(_REFERENCE)]
    return {**own, "properties": {**fields["properties"], **own.get("properties", {})}}


def _schema(node: Any) -> Any:
    if isinstance(node, list):
        return [_schema(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {name: _schema(value) for name, value in node.items() if name != "discriminator"}
    is_nullable = made.pop("nullable", None) is True
    if isinstance(made.get("$ref"), str):
        made["$ref"] = made["$ref"].replace(_REFERENCE, "#/$defs/")
    if made.get("required") == ["entry Type"]:
        made["required"] = ["entryType"]
    if made.get("format") == "int32":
        made |= _INT32
    return {"anyOf": [{"type": "null"}, made]} if is_nullable else made


def _without_odata(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_odata(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {"@odata.nextLink", "@odata.count"}
    return {
        name: _without_odata(one)
        for name, one in value.items()
        if not name.startswith("@odata.") or name in kept
    }
