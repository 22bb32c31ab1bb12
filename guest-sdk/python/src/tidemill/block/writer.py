"""Writing blocks."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from ..schema import Type
from .layout import (
    ARRAY_CODES,
    BYTES_MAX,
    ENTRY,
    HEADER,
    MAGIC,
    OFFSETS,
    ROWS_MAX,
    SWAPPED,
    TIMES,
    VERSION,
    BlockError,
    pad8,
)

Cells = Sequence[tuple[Type, bool]]
"""The type of each column and whether it is optional."""

_NOTHING: dict[Type, Any] = {Type.BOOL: False, Type.I32: 0, Type.I64: 0, Type.F64: 0.0, Type.STRING: "", Type.BYTES: b""}


class ColumnError(ValueError):
    """A value does not fit its column."""

    def __init__(self, column: int, row: int, what: str) -> None:
        super().__init__(f"column {column}, row {row}: {what}")
        self.column = column
        self.row = row
        self.what = what


def encode(schema_id: int, times: Sequence[int], cells: Cells, columns: Sequence[Sequence[Any]]) -> bytes:
    """A block of columns; absent values are ``None``.

    Raises:
        ColumnError: a value does not fit its column.
        BlockError: there are more rows or bytes than a block may have.
    """
    rows = len(times)
    if rows > ROWS_MAX:
        raise BlockError(f"{rows} rows are more than {ROWS_MAX}")
    at = HEADER.size + ENTRY.size * len(cells) + 8 * rows
    table: list[bytes] = []
    parts: list[bytes] = [_packed(TIMES, times)]

    def place(part: bytes) -> int:
        nonlocal at
        here = at
        parts.append(part)
        at = pad8(at + len(part))
        if at != here + len(part):
            parts.append(bytes(at - here - len(part)))
        return here

    for index, ((kind, optional), values) in enumerate(zip(cells, columns)):
        validity = heap = 0
        if optional:
            validity = place(_bitmap(values))
            values = _filled(values, kind)
        try:
            if kind is Type.STRING or kind is Type.BYTES:
                offsets, raw = _heap(kind, values)
                data = place(offsets)
                heap = place(raw)
            else:
                data = place(_fixed(kind, values))
        except (TypeError, ValueError, OverflowError, AttributeError):
            row, what = _misfit(kind, values)
            raise ColumnError(index, row, what) from None
        table.append(ENTRY.pack(kind, optional, 0, validity, data, heap))
    if at > BYTES_MAX:
        raise BlockError(f"a block of {at} bytes is larger than {BYTES_MAX}")
    return b"".join((HEADER.pack(MAGIC, VERSION, len(cells), rows, at, schema_id, 0), *table, *parts))


def _packed(code: str, values: Sequence[Any]) -> bytes:
    numbers = array(code, values)
    if SWAPPED:
        numbers.byteswap()
    return numbers.tobytes()


def _fixed(kind: Type, values: Sequence[Any]) -> bytes:
    if kind is not Type.BOOL:
        return _packed(ARRAY_CODES[kind], values)
    flags = bytes(values)
    if flags and max(flags) > 1:
        raise ValueError("no bool")
    return flags


def _heap(kind: Type, values: Sequence[Any]) -> tuple[bytes, bytes]:
    """The offsets and the heap of a column of texts or bytes."""
    if kind is Type.STRING:
        raw = "".join(values).encode()
        texts = values if raw.isascii() else [value.encode() for value in values]
    else:
        raw, texts = b"".join(values), values
    offsets = list(accumulate(map(len, texts), initial=0))
    return _packed(OFFSETS, offsets), raw


def _bitmap(values: Sequence[Any]) -> bytes:
    """One bit a row, least significant first: the number whose binary digits are the rows from last to first."""
    if not values:
        return b""
    digits = "".join(["0" if value is None else "1" for value in reversed(values)])
    return int(digits, 2).to_bytes((len(values) + 7) // 8, "little")


def _filled(values: Sequence[Any], kind: Type) -> Sequence[Any]:
    nothing = _NOTHING[kind]
    return [nothing if value is None else value for value in values] if None in values else values


def _misfit(kind: Type, values: Sequence[Any]) -> tuple[int, str]:
    """The first value that does not fit: its row and what is wrong with it."""
    for row, value in enumerate(values):
        try:
            if kind is Type.STRING or kind is Type.BYTES:
                _heap(kind, [value])
            else:
                _fixed(kind, [value])
        except OverflowError:
            return row, f"{value!r} does not fit {kind.label}"
        except UnicodeEncodeError:
            return row, f"{value!r} holds half of a surrogate pair, which UTF-8 does not have"
        except (TypeError, ValueError, AttributeError):
            return row, f"{_shown(value)} is no {kind.label}"
    return 0, f"the values do not fit {kind.label}"


def _shown(value: object) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}" if value is not None else "None"
