"""What several tests need: a host that listens, and blocks of records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tidemill import I32, Job
from tidemill.block import Block
from tidemill.record.spec import spec_of
from tidemill.runtime import Instance, Level, Moment

AT = Moment(0, 0)
Timer = tuple[int, I32]


class Heard:
    """Keeps what is emitted and reported."""

    def __init__(self) -> None:
        self.blocks: list[tuple[int, int, bytes]] = []
        self.lines: list[str] = []

    def log(self, level: Level, operator: int, message: str) -> None:
        self.lines.append(f"{level.name.lower()} {operator} {message}")

    def emit(self, operator: int, port: int, block: bytes) -> None:
        self.blocks.append((operator, port, block))

    def report_failure(self, operator: int, row: int, message: str) -> None:
        self.lines.append(f"operator {operator} row {row}: {message}")

    def take(self, record: Any) -> list[tuple[Any, int]]:
        """The records of all blocks so far, with their event times."""
        blocks, self.blocks = self.blocks, []
        return [pair for _, _, data in blocks for pair in read(data, record)]


def instance(job: Callable[[Job], None]) -> tuple[Instance, Heard]:
    heard = Heard()
    return Instance.plan(job, [], heard)[0], heard


def block(record: Any, records: Sequence[Any], first: int = 100) -> bytes:
    """A block of records whose event times begin at 100."""
    spec = spec_of(record)
    return spec.encode(spec.schema.id, list(range(first, first + len(records))), list(records))


def read(data: bytes, record: Any) -> list[tuple[Any, int]]:
    spec = spec_of(record)
    decoded = Block(data)
    decoded.check(spec.columns)
    return list(zip(spec.read(decoded), decoded.times))
