"""What every record can do: JSON both ways."""

import dataclasses
import types
import typing
from typing import Any, Self


class Record:
    """JSON both ways for frozen dataclasses."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists, strings, numbers and None, keys in field order."""
        plain: dict[str, Any] = _plain(self)
        return plain

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Rebuild the record that `to_dict` wrote.

        Raises:
            ValueError: if a field is unknown or missing.
        """
        hints = typing.get_type_hints(cls)
        unknown = sorted(set(data) - set(hints))
        if unknown:
            raise ValueError(f"{cls.__name__} has no field {unknown[0]!r}; fields: {', '.join(hints)}")
        try:
            return cls(**{name: _revive(hints[name], value) for name, value in data.items()})
        except TypeError as error:
            raise ValueError(f"{cls.__name__}: {error}") from error


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _revive(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _revive(next(arg for arg in args if arg is not type(None)), value)
    if origin is tuple:
        return tuple(_revive(args[0], item) for item in value)
    if origin is dict:
        return {key: _revive(args[1], item) for key, item in value.items()}
    if isinstance(hint, type) and issubclass(hint, Record):
        return hint.from_dict(value)
    return value
