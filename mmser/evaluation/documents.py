"""JSON documents of records, read from files that anybody may have changed."""

import json
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from mmser.errors import DataError
from mmser.record import Record

Document = TypeVar("Document", bound=Record)
# What pydantic calls a value of a wrong type → what it must be.
_WANTED: Final = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number of ordinary size",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "an object",
    "dataclass_type": "an object",
}
_LONGEST: Final = 60  # characters of a value that are shown


def read_document(path: Path, kind: type[Document], schema: str, remedy: str) -> Document:
    """Return the record that a file holds.

    Args:
        path: of the file.
        kind: of record.
        schema: what its first field must be: "mmser.profile/1".
        remedy: what to do where it is not: "make the profile again".

    Raises:
        DataError: if the file cannot be read, is of another schema, or has a field that is unknown, missing
            or of a wrong type.
    """
    try:
        text = path.read_text("utf-8")
        data = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read as JSON: {json_fault(error)}; {remedy}") from error
    found = data.get("schema") if isinstance(data, dict) else None
    if found != schema:
        name, _, version = schema.partition("/")
        if isinstance(found, str) and found.startswith(f"{name}/"):
            raise DataError(
                f"{path} is of the schema {found:.40}, but this mmser reads version {version} of it; update "
                f"mmser, or {remedy}"
            )
        has = f"it is {said(data)}" if not isinstance(data, dict) else f"its schema is {said(found)}"
        raise DataError(f"{path} is no document of the schema {schema}: {has}; {remedy}")
    try:
        record = TypeAdapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        raise DataError(f"{path} is damaged: {_fault(error)}; {remedy}") from error
    unknown = _unknown(data, record.to_dict())
    if unknown is not None:  # which the other check passes over
        raise DataError(f"{path} is damaged: {unknown}; {remedy}")
    return record


def json_fault(error: Exception) -> str:
    """Return why a text is not JSON, or cannot be read, in words."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)


def said(value: object) -> str:
    """Return what a value of a JSON document is called in a message."""
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, dict):
        return "an object" if value else "an empty object"
    return f"{value!r:.{_LONGEST}}"


def _fault(error: ValidationError) -> str:
    """Return the first thing that is wrong with a document."""
    first = error.errors()[0]
    where = ".".join(str(step) for step in first["loc"])[:80] or "it"
    if first["type"] == "missing":
        return f"{where} is missing"
    wanted = _WANTED.get(first["type"])
    if wanted is None:
        return f"{where} is {said(first['input'])}: {first['msg'][:1].lower()}{first['msg'][1:]}"
    return f"{where} is {said(first['input'])}, and must be {wanted}"


def _unknown(data: Any, known: Any, where: str = "") -> str | None:
    """Return what key a document holds that its record does not, and where."""
    pairs: list[tuple[str, Any, Any]] = []
    if isinstance(data, dict) and isinstance(known, dict):
        strange = next((key for key in data if key not in known), None)
        if strange is not None:
            return f"{where or 'it'} has no field {strange!r:.60}"
        pairs = [(key, value, known[key]) for key, value in data.items()]
    elif isinstance(data, list) and isinstance(known, list):
        pairs = [(str(place), *both) for place, both in enumerate(zip(data, known, strict=True))]
    for step, value, other in pairs:
        found = _unknown(value, other, f"{where}.{step}".removeprefix("."))
        if found is not None:
            return found
    return None
