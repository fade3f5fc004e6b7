"""YAML that users write, read with errors in one sentence."""

from pathlib import Path
from typing import Any

import yaml

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
        loader = _OnceLoader(path.read_text(encoding="utf-8-sig"))
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except OSError as error:
        raise error_class(f"{path}: {what} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise error_class(f"{path}: {what} is not UTF-8 text (byte {error.start})") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "not readable"
        raise error_class(f"{path}{line}: not valid YAML: {problem}") from error
    except RecursionError as error:
        raise error_class(f"{path}: {what} is nested too deeply") from error
    except NO_VALUE as error:
        raise error_class(
            f"{path}: a value in {what} cannot be read ({error}); put texts in quotation marks"
        ) from error
