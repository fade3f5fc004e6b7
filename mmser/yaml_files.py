"""YAML that users write, read with errors in one sentence."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from mmser.errors import MmserError

MAX_FILE = 1_000_000  # bytes
NO_VALUE = (ValueError, KeyError, AttributeError)  # such as a date in a 13th month, or a bad tag


class _OnceLoader(yaml.SafeLoader):
    """Refuses a key that a mapping holds twice, of which YAML would take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping; a key that stands twice raises `ConstructorError` with its line."""
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen and key.value != "<<":
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} is there twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


# What pydantic calls a mistake → what a value must be; others are told in pydantic's words.
_MUST_BE = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), "a finite number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(
        ("model_type", "model_attributes_type", "dict_type"), "a mapping, such as {{key: value}}"
    ),
    **dict.fromkeys(("list_type", "tuple_type"), "a list, such as [one, other]"),
    "string_type": "a text",
    "path_type": "a path",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
}


def first_of(error: ValidationError) -> Any:
    """Return the details to tell first: a misspelt key explains the one that is missing."""
    return min(error.errors(include_url=False), key=lambda one: one["type"] != "extra_forbidden")


def problem_of(errors: Sequence[Mapping[str, Any]]) -> str:
    """Say in plain words what is wrong with a value; to follow its name.

    Args:
        errors: pydantic's details of one place: several where a value may be of several kinds.
    """
    wanted = []
    for error in errors:
        must = _MUST_BE.get(error["type"])
        if must is None:
            return ": " + str(error["msg"]).removeprefix("Value error, ")
        bounds = error.get("ctx", {}).items()
        plain = {name: f"{v:g}" if isinstance(v, float) else v for name, v in bounds}  # 1, not 1.0
        wanted.append(must.format(**plain))
    return f" must be {' or '.join(dict.fromkeys(wanted))}"


def read_yaml(path: Path, what: str, error_class: type[MmserError]) -> Any:
    """Return what a YAML file holds.

    Args:
        path: of the file, UTF-8.
        what: it is, as errors name it, such as "the rules file".
        error_class: of the error that is raised.

    Raises:
        MmserError: of `error_class`, if the file cannot be read, is too large or is not valid YAML.
    """
    try:
        if path.stat().st_size > MAX_FILE:
            raise error_class(f"{path}: {what} is larger than {MAX_FILE} bytes; is it the right file?")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise error_class(f"{path}: {what} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise error_class(f"{path}: {what} is not UTF-8 text (byte {error.start})") from error
    return parse_yaml(text, str(path), what, error_class)


def parse_yaml(text: str, where: str, what: str, error_class: type[MmserError]) -> Any:
    """Return what YAML text holds.

    Args:
        text: YAML.
        where: it comes from, such as a path.
        what: it is, as errors name it.
        error_class: of the error that is raised.

    Raises:
        MmserError: of `error_class`, if it is not valid YAML.
    """
    try:
        loader = _OnceLoader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "not readable"
        raise error_class(f"{where}{line}: not valid YAML: {problem}") from error
    except RecursionError as error:
        raise error_class(f"{where}: {what} is nested too deeply") from error
    except NO_VALUE as error:
        raise error_class(
            f"{where}: a value in {what} cannot be read ({error}); put texts in quotation marks"
        ) from error
