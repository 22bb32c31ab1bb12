"""Fields: what an annotation says about a column."""

from __future__ import annotations

import json
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Union, get_args, get_origin

from ..schema import Type

if TYPE_CHECKING:
    from .spec import Spec

T = TypeVar("T")


@dataclass(frozen=True)
class Name:
    """The name that the plan gives a field, a piece of state, a timer or a side output, where it is not the attribute's.

    ``price: Annotated[float, Name("px")]``
    """

    text: str


@dataclass(frozen=True)
class _I32Marker:
    """Marks an ``int`` of 32 bits."""


@dataclass(frozen=True)
class _JsonMarker:
    """Marks a value that a column holds as JSON."""


I32 = Annotated[int, _I32Marker()]
"""An ``int`` field of 32 bits. A plain ``int`` has 64."""

Json = Annotated[T, _JsonMarker()]
"""``Json[T]``: anything that JSON can say, as one bytes field: readable in every language, opaque to the host.

What such a field holds must not be changed once it is part of a record.
"""

CHOICES = (
    "fields are bool, int (64 bits), I32, float, str, bytes, an optional of one of these (`int | None`), or `list[R]` of records R;"
    " a nested or foreign type is a `Json[...]` field"
)


@dataclass(frozen=True)
class Codec:
    """How values of a bytes column become objects and back."""

    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]


@dataclass(frozen=True)
class Cell:
    """What a column holds."""

    type: Type
    optional: bool
    codec: Codec | None = None
    alone: str = "value"
    """The name of the column where the value is a whole record."""


_PLAIN = {bool: Type.BOOL, int: Type.I64, float: Type.F64, str: Type.STRING, bytes: Type.BYTES}


def cell_of(annotation: Any) -> Cell | None:
    """The cell of an annotation; ``None`` where it is no column type."""
    if get_origin(annotation) is Annotated:
        return _annotated(*get_args(annotation))
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [part for part in get_args(annotation) if part is not types.NoneType]
        cell = cell_of(rest[0]) if len(rest) == 1 and len(get_args(annotation)) == 2 else None
        if cell is None or cell.optional:
            return None
        return Cell(cell.type, True, cell.codec, cell.alone)
    if get_origin(annotation) is list:
        from .spec import Misfit, spec_of

        try:
            return Cell(Type.BYTES, False, _list_codec(spec_of(get_args(annotation)[0])), "block")
        except Misfit:
            return None
    return Cell(_PLAIN[annotation], False) if isinstance(annotation, type) and annotation in _PLAIN else None


def _annotated(inner: Any, *metadata: Any) -> Cell | None:
    if any(isinstance(mark, _JsonMarker) for mark in metadata):
        return Cell(Type.BYTES, False, Codec(json.loads, _to_json), "json")
    if any(isinstance(mark, _I32Marker) for mark in metadata):
        return Cell(Type.I32, False)
    return cell_of(inner)


def name_in(annotation: Any) -> str | None:
    """The name that a :class:`Name` in an annotation gives."""
    if get_origin(annotation) is not Annotated:
        return None
    return next((mark.text for mark in get_args(annotation)[1:] if isinstance(mark, Name)), None)


def _to_json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _list_codec(spec: Spec[Any]) -> Codec:
    """Nothing at all stands for the empty list, so that an absent column reads as one."""

    def decode(data: bytes) -> list[Any]:
        return spec.decode(data) if data else []

    def encode(records: Any) -> bytes:
        return spec.encode(0, [0] * len(records), list(records)) if len(records) else b""

    return Codec(decode, encode)
