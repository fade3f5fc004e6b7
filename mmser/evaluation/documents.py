"""JSON documents of records, read from files that anybody may have changed."""

import json
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from mmser.errors import DataError
from mmser.record import Record

Document = TypeVar("Document", bound=Record)


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
        raise DataError(f"{path} cannot be read as JSON: {error}; {remedy}") from error
    found = data.get("schema") if isinstance(data, dict) else None
    if found != schema:
        name, _, version = schema.partition("/")
        if isinstance(found, str) and found.startswith(f"{name}/"):
            raise DataError(
                f"{path} is of the schema {found:.40}, but this mmser reads version {version} of it; update "
                f"mmser, or {remedy}"
            )
        raise DataError(f"{path} has the schema {found!r:.40}, and not {schema}; {remedy}")
    try:
        # The first finds unknown keys, the second wrong types; each lets the other's mistakes pass.
        kind.from_dict(data)
        return TypeAdapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise DataError(f"{path} is damaged at {where}: {first['msg']}; {remedy}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is damaged: {error}; {remedy}") from error
