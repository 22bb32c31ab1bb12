"""Ports: where records leave a chain and become blocks again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..block import BlockError
from ..record.spec import Misfit, Spec
from ..schema import Schema
from .call import Call

ROWS_FLUSH = 4096
"""Rows of one block: the cost of a call is spread thin then, and the block stays in cache."""
BYTES_FLUSH = 4 << 20
"""Bytes after which a block is handed on in halves."""
ROWS_HARD = 1 << 18
"""Records that one record may give before they are handed on in the middle of it."""

Push = Callable[[list[Any], Sequence[int], Sequence[int]], None]
"""What the part of a chain behind an operator looks like to it: it takes records, their event times and their rows in the
block of the call."""


class Port:
    """An output of an operator."""

    __slots__ = ("_call", "index", "operator", "schema", "spec")

    def __init__(self, operator: int, index: int, spec: Spec[Any], schema: Schema, call: Call) -> None:
        self.operator = operator
        self.index = index
        self.spec = spec
        self.schema = schema
        self._call = call

    def push(self, records: list[Any], times: Sequence[int], rows: Sequence[int]) -> None:
        """Hands records on."""
        if len(records) <= ROWS_FLUSH:
            self._send(records, times, rows)
            return
        for at in range(0, len(records), ROWS_FLUSH):
            end = at + ROWS_FLUSH
            self._send(records[at:end], times[at:end], rows[at:end])

    def _send(self, records: list[Any], times: Sequence[int], rows: Sequence[int]) -> None:
        if not records:
            return
        block = b""
        try:
            block = self.spec.encode(self.schema.id, times, records)
        except Misfit as error:
            self._call.trap(self.operator, rows[error.row], Misfit(f"the output {self.spec.shown} has a wrong record: {error}"))
        except BlockError as error:
            if len(records) == 1:
                self._call.trap(self.operator, rows[0], error)
        if block and (len(block) <= BYTES_FLUSH or len(records) == 1):
            self._call.host.emit(self.operator, self.index, block)
            return
        half = len(records) // 2
        self._send(records[:half], times[:half], rows[:half])
        self._send(records[half:], times[half:], rows[half:])
