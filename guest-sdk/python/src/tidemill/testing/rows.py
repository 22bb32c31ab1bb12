"""Rows outside of blocks, as the kit's host keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..block import Block, encode
from ..record.spec import Spec
from ..schema import Schema


class Row(NamedTuple):
    """The cells of a record, bare as in a block, and its event time."""

    time: int
    values: tuple[Any, ...]


def encoded(rows: Sequence[Row], schema: Schema) -> bytes:
    """A block of rows."""
    cells = [(column.type, column.optional) for column in schema.columns]
    columns = list(zip(*(row.values for row in rows))) if schema.columns else []
    return encode(schema.id, [row.time for row in rows], cells, columns)


def decoded(data: bytes, schema: Schema) -> list[Row]:
    """The rows of a block."""
    block = Block(data)
    block.check(schema.columns)
    columns = block.read(schema.columns)
    values = zip(*columns) if columns else iter([()] * block.rows)
    return [Row(time, cells) for time, cells in zip(block.times, values)]


def row_of(spec: Spec[Any], record: Any, time: int) -> Row:
    """The row of a record."""
    return decoded(spec.encode(spec.schema.id, [time], [record]), spec.schema)[0]


def records_of(rows: Sequence[Row], spec: Spec[Any]) -> list[tuple[Any, int]]:
    """The records of rows that begin with their columns, with their event times."""
    width = len(spec.columns)
    columns = [list(column) for column in zip(*(row.values[:width] for row in rows))] or [[] for _ in range(width)]
    return list(zip(spec.make(columns, len(rows)), (row.time for row in rows)))


def order(values: Sequence[Any]) -> tuple[tuple[bool, Any], ...]:
    """What to sort cells by: absent before present."""
    return tuple((value is not None, value) for value in values)
