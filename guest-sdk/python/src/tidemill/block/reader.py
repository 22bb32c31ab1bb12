"""Reading blocks."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain, compress, pairwise
from typing import Any

from ..schema import Column, Type
from .layout import (
    ARRAY_CODES,
    BYTES_MAX,
    COLUMNS_MAX,
    ENTRY,
    HEADER,
    MAGIC,
    OFFSETS,
    ROWS_MAX,
    SWAPPED,
    TIMES,
    VERSION,
    WIDTHS,
    BlockError,
    Code,
    pad8,
)

_BITS = [tuple(byte >> bit & 1 for bit in range(8)) for byte in range(256)]


class Block:
    """The bytes of a block, with the header read. Columns are decoded when they are asked for."""

    __slots__ = ("_data", "_view", "columns", "rows", "schema_id")

    rows: int
    columns: int
    schema_id: int

    def __init__(self, data: bytes) -> None:
        """Takes the bytes of a block.

        Raises:
            BlockError: the bytes are no block.
        """
        if len(data) < HEADER.size:
            raise BlockError(f"a header states a length of {len(data)}: it takes {HEADER.size}")
        magic, version, self.columns, self.rows, length, self.schema_id, reserved = HEADER.unpack_from(data)
        if magic != MAGIC or version != VERSION or reserved:
            raise BlockError(f"not a block of version {VERSION}")
        if self.rows > ROWS_MAX:
            raise BlockError(f"{self.rows} rows are more than {ROWS_MAX}")
        if length != len(data) or length < self._body():
            raise BlockError(f"the block states a length of {length}, which its {len(data)} bytes or its table do not fit")
        if length % 8:
            raise BlockError(f"a length of {length} is not a multiple of 8")
        if self.columns > COLUMNS_MAX or length > BYTES_MAX:
            raise BlockError(f"{self.columns} columns or {length} bytes are more than a block may have")
        self._data = data
        self._view = memoryview(data)

    def _body(self) -> int:
        """Where the parts of the columns begin."""
        return HEADER.size + ENTRY.size * self.columns + 8 * self.rows

    @property
    def times(self) -> list[int]:
        """The event time of each row."""
        return self._numbers(TIMES, HEADER.size + ENTRY.size * self.columns, 8 * self.rows)

    def read(self, columns: Sequence[Column], first: int = 0, *, optional: bool = False) -> list[list[Any]]:
        """The values of columns from ``first`` on, absent ones being ``None``.

        Args:
            columns: What they are expected to be.
            first: The index of the first.
            optional: All of them are optional, whatever ``columns`` says: a block of state.
        """
        return [self.column(first + i, column.type, optional or column.optional) for i, column in enumerate(columns)]

    def column(self, index: int, kind: Type, optional: bool) -> list[Any]:
        """The values of one column."""
        _, flag, _, validity, data, heap = self._entry(index, kind, optional)
        values: list[Any]
        if kind in ARRAY_CODES:
            values = self._numbers(ARRAY_CODES[kind], data, WIDTHS[kind] * self.rows)
        elif kind is Type.BOOL:
            flags = self._part(data, self.rows)
            if flags and max(flags) > 1:
                raise BlockError(f"column {index} holds a value that its type does not have")
            values = list(map(bool, flags))
        else:
            values = self._heap_values(index, kind, data, heap)
        return _masked(values, self._part(validity, (self.rows + 7) // 8), self.rows) if flag else values

    def _entry(self, index: int, kind: Type, optional: bool) -> tuple[int, int, int, int, int, int]:
        wanted = f"{'optional ' if optional else ''}{kind.label}"
        if index >= self.columns:
            raise BlockError(f"column {index} is not {wanted}: there is none")
        entry = ENTRY.unpack_from(self._data, HEADER.size + ENTRY.size * index)
        if entry[:2] != (kind, optional):
            raise BlockError(f"column {index} is not {wanted}: it has type {entry[0]}{' optional' if entry[1] else ''}")
        return entry

    def _part(self, at: int, length: int) -> bytes:
        if at + length > len(self._data):
            raise BlockError("a part of a column lies behind the end of the block")
        return self._data[at : at + length]

    def _numbers(self, code: Code, at: int, length: int) -> list[Any]:
        if at + length > len(self._data):
            raise BlockError("a part of a column lies behind the end of the block")
        if SWAPPED:
            numbers = array(code, self._data[at : at + length])
            numbers.byteswap()
            return numbers.tolist()
        return self._view[at : at + length].cast(code).tolist()

    def _heap_values(self, index: int, kind: Type, data: int, heap: int) -> list[Any]:
        offsets = self._numbers(OFFSETS, data, 4 * (self.rows + 1))
        raw = self._part(heap, offsets[-1])
        ends = offsets[1:]
        if kind is Type.BYTES:
            return [raw[start:end] for start, end in zip(offsets, ends)]
        try:
            if raw.isascii():
                text = raw.decode("ascii")
                return [text[start:end] for start, end in zip(offsets, ends)]
            return [raw[start:end].decode() for start, end in zip(offsets, ends)]
        except UnicodeDecodeError:
            raise BlockError(f"column {index} holds a value that its type does not have: text that is not UTF-8") from None

    def check(self, columns: Sequence[Column], *, optional: bool = False) -> None:
        """Refuses a block that breaks any rule of the layout: for bytes that did not come from the host.

        The layout leaves no choice, so what is left after the parts lie where they must is one comparison.
        """
        from .writer import encode

        at = self._body()
        for index, column in enumerate(columns):
            at = self._check_column(index, column.type, optional or column.optional, at)
        if self.columns != len(columns) or at != len(self._data):
            raise BlockError(f"the block has {self.columns} columns and {len(self._data)} bytes, not {len(columns)} and {at}")
        cells = [(column.type, optional or column.optional) for column in columns]
        values = self.read(columns, optional=optional)
        if encode(self.schema_id, self.times, cells, values) != self._data:
            raise BlockError("an absent value or a gap between the parts of the block is not zero")

    def _check_column(self, index: int, kind: Type, optional: bool, at: int) -> int:
        _, _, _, validity, data, heap = self._entry(index, kind, optional)
        parts = []
        if optional:
            parts.append(("validity", validity, (self.rows + 7) // 8))
        parts.append(("data", data, WIDTHS[kind] * self.rows if kind in WIDTHS else 4 * (self.rows + 1)))
        for name, place, length in parts:
            if place != at or place + length > len(self._data):
                raise BlockError(f"the {name} of column {index} does not lie at byte {at}")
            at = pad8(at + length)
        if kind in WIDTHS:
            if heap:
                raise BlockError(f"the heap of column {index} does not belong there")
            return at
        offsets = self._numbers(OFFSETS, data, 4 * (self.rows + 1))
        if offsets[0] != 0 or any(after < before for before, after in pairwise(offsets)):
            raise BlockError(f"the offsets of column {index} do not begin at 0 or fall")
        if heap != at or heap + offsets[-1] > len(self._data):
            raise BlockError(f"the heap of column {index} does not lie at byte {at}, or leaves the block")
        return pad8(at + offsets[-1])


def _masked(values: list[Any], bitmap: bytes, rows: int) -> list[Any]:
    """The values with ``None`` where the bitmap has a 0."""
    present = list(chain.from_iterable(map(_BITS.__getitem__, bitmap)))
    del present[rows:]
    if all(present):
        return values
    masked: list[Any] = [None] * rows
    for row in compress(range(rows), present):
        masked[row] = values[row]
    return masked
