"""Records that the host computes: a key with an aggregate, a window with a record, a refused record.

They are read by position, so that the columns may carry the names that the key has in the job.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar, cast, dataclass_transform

from .declare import declare, record
from .spec import RecordSpec, Spec, spec_of

K = TypeVar("K")
V = TypeVar("V")
R = TypeVar("R")


@dataclass_transform(frozen_default=True)
def _composite(cls: type[R]) -> type[R]:
    """A record with type parameters: its columns follow from what it is parametrised with."""
    made, hints = declare(cls, globals())
    parameters = cast("tuple[Any, ...]", cast("Any", cls).__parameters__)

    def parametrised(arguments: tuple[Any, ...]) -> Spec[Any]:
        types = dict(zip(parameters, arguments))
        return composite_of(made, [spec_of(types.get(hint, hint)) for hint in hints.values()])

    made.__tidemill_parametrised__ = staticmethod(parametrised)  # type: ignore[attr-defined]
    return made


def composite_of(cls: type, parts: list[Spec[Any]]) -> RecordSpec[Any]:
    """The spec of a composite whose fields have these specs."""
    names: tuple[str, ...] = cast("Any", cls)._fields
    columns = [column for name, part in zip(names, parts) for column in part.named(name)]
    return RecordSpec(cls, parts, columns)


@_composite
class KeyCount(Generic[K]):
    """How many records a key has had: what ``count`` on a keyed stream gives."""

    key: K
    count: int


@_composite
class KeyValue(Generic[K, V]):
    """A running aggregate of a key: what ``sum``, ``min`` and ``max`` on a keyed stream give."""

    key: K
    value: V


@_composite
class WindowCount(Generic[K]):
    """How many records a key has in a window: what ``count`` on a window gives."""

    key: K
    start: int
    """The first millisecond of the window."""
    end: int
    """The first millisecond behind the window."""
    count: int


@_composite
class WindowValue(Generic[K, V]):
    """An aggregate of a key in a window: what ``sum``, ``min`` and ``max`` on a window give."""

    key: K
    start: int
    """The first millisecond of the window."""
    end: int
    """The first millisecond behind the window."""
    value: V


@_composite
class WindowRecord(Generic[R]):
    """A record of a window: what ``min_by`` and ``max_by`` on a window give."""

    start: int
    """The first millisecond of the window."""
    end: int
    """The first millisecond behind the window."""
    record: R


@record
class DeadLetter:
    """A record that was refused, as the port ``dead-letter`` of an operator gives it."""

    operator: str
    """The operator that refused it."""
    place: str
    """Where it was: file, line and byte, or operator and input."""
    reason: str
    """What was wrong with it."""
    record: str
    """The record, shortened."""
