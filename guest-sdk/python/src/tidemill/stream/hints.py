"""What the annotations of a function say about the records that it takes and gives."""

from __future__ import annotations

import collections.abc
import inspect
import sys
from collections.abc import Callable
from typing import Any, get_args, get_origin, get_type_hints

from ..error import JobError
from ..record.declare import Field, field_of
from ..record.spec import Misfit, RecordSpec, Spec, spec_of

_MANY = (
    collections.abc.Iterable,
    collections.abc.Iterator,
    collections.abc.Generator,
    collections.abc.Sequence,
    collections.abc.Collection,
    list,
    set,
)


def hints_of(name: str, f: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a function or of an object that is called like one."""
    if not callable(f):
        raise JobError(f"operator {name!r}: {f!r} is no function")
    if isinstance(f, type):
        return {"return": f}
    function = f if inspect.isroutine(f) else type(f).__call__
    try:
        return get_type_hints(function, localns=_names(), include_extras=True)
    except NameError as error:
        raise JobError(f"operator {name!r}: {error}; say what the function gives by out=") from None
    except TypeError:
        return {}


def _names() -> dict[str, Any]:
    """The local names of the functions that build the job, for annotations that are still text."""
    names: dict[str, Any] = {}
    frame = sys._getframe(1)
    while frame is not None:
        for key, value in frame.f_locals.items():
            names.setdefault(key, value)
        frame = frame.f_back  # type: ignore[assignment]
    return names


def given(name: str, f: Callable[..., Any], out: Any) -> Spec[Any]:
    """The spec of what a function gives."""
    if out is None:
        hints = hints_of(name, f)
        if "return" not in hints:
            raise JobError(f"operator {name!r}: annotate what {_shown(f)} returns, or say it by out=")
        out = hints["return"]
        if out is type(None):
            raise JobError(f"operator {name!r}: {_shown(f)} returns None by its annotation, not a record")
    return checked(name, out)


def given_many(name: str, f: Callable[..., Any], out: Any) -> Spec[Any]:
    """The spec of the records that a function gives any number of."""
    if out is None:
        hint = hints_of(name, f).get("return")
        arguments = get_args(hint)
        many = (get_origin(hint) in _MANY and arguments) or arguments[1:] == (Ellipsis,)
        if not many:
            raise JobError(f"operator {name!r}: annotate what {_shown(f)} yields, as in `-> Iterator[Word]`, or say it by out=")
        out = arguments[0]
    return checked(name, out)


def checked(name: str, python: Any) -> Spec[Any]:
    """The spec of a type, or what is wrong with it in the words of an operator."""
    try:
        return spec_of(python)
    except Misfit as error:
        raise JobError(f"operator {name!r}: {error}") from None


def _shown(f: Callable[..., Any]) -> str:
    name = getattr(f, "__qualname__", type(f).__qualname__).replace("<locals>.", "")
    return "the lambda" if name.endswith("<lambda>") else f"`{name}`"


def column_of(spec: Spec[Any], value: object, what: str) -> int:
    """The index of the first column of a field, given as ``Reading.sensor``."""
    field: Field | None = field_of(value)
    cls = spec.cls if isinstance(spec, RecordSpec) else None
    if field is None:
        fields = ", ".join(f"{cls.__name__}.{name}" for name in cls._fields) if cls is not None else ""
        there = f"one of {fields}" if fields else f"a field, and {spec.shown} has none; use key_by_fn for a computed key"
        raise JobError(f"{what} takes {there}, not {value!r}")
    if cls is None or field.owner is not cls:
        raise JobError(f"{what}: {field} is no field of {spec.shown}")
    assert isinstance(spec, RecordSpec)
    return sum(len(part.columns) for part in spec.parts[: field.index])
