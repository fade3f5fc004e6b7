"""CallReport ⇄ JSON `mmser.call/1`, and its JSON Schema."""

import functools
import json
import re
from typing import Any, Final, NoReturn

from pydantic import TypeAdapter, ValidationError

from mmser.errors import MmserError
from mmser.record import Record
from mmser.types import SCHEMA, CallReport

_FAMILY, _VERSION = SCHEMA.split("/")
# Half of a pair of UTF-16 code units: no character, and UTF-8 cannot hold it.
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def to_json(report: CallReport) -> str:
    """Return the report as a JSON document; equal reports give equal bytes.

    One line per turn, so that documents of long calls can be compared and searched line by line.
    """
    lines = []
    for name, value in vars(report).items():
        if isinstance(value, tuple) and value and isinstance(value[0], Record):
            body = ",\n  ".join(_dumps(item) for item in value)
            lines.append(f"{_dumps(name)}: [\n  {body}\n ]")
        else:
            lines.append(f"{_dumps(name)}: {_dumps(value)}")
    return _SURROGATE.sub("\ufffd", "{\n " + ",\n ".join(lines) + "\n}\n")


def _dumps(value: Any) -> str:
    # A record's attributes stand in field order; `to_dict` gives the same, ten times as slowly.
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=vars)


def from_json(text: str) -> CallReport:
    """Read the document that `to_json` wrote.

    Raises:
        MmserError: if it is not JSON, no call report, damaged, or from a newer version.
    """
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        raise MmserError(f"this is not a call report: it is not valid JSON ({error})") from error
    found = data.get("schema") if isinstance(data, dict) else None
    if found != SCHEMA:
        raise MmserError(_wrong_schema(found))
    try:
        # The first finds unknown keys, the second wrong types; each lets the other's mistakes pass.
        CallReport.from_dict(data)
        return _adapter().validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise MmserError(f"this call report is damaged at {where!r}: {first['msg']}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise MmserError(f"this call report is damaged: {error}") from error


def _wrong_schema(found: Any) -> str:
    if isinstance(found, str) and re.fullmatch(rf"{re.escape(_FAMILY)}/\d+", found):
        if int(found.split("/")[1]) > int(_VERSION):
            return f"this call report has schema {found!r}, newer than {SCHEMA!r}; update mmser to read it"
        return f"this call report has schema {found!r}; this mmser reads {SCHEMA!r}: analyse the call again"
    return f"this is not a call report: its schema is {found!r}, not {SCHEMA!r}"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


@functools.cache
def _adapter() -> TypeAdapter[CallReport]:
    return TypeAdapter(CallReport)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the document, generated from the records."""
    schema = _adapter().json_schema(mode="serialization")
    for record in (schema, *schema["$defs"].values()):
        record["additionalProperties"] = False
        record["required"] = list(record["properties"])  # `to_json` writes every field, defaults too
        for field in record["properties"].values():
            field.pop("default", None)
    schema["properties"]["schema"] = {"const": SCHEMA, "title": "Schema"}
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA}
    return head | schema
