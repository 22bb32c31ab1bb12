"""The call in progress: which operator runs, and what it refused so far.

One :class:`Call` belongs to an instance and is shared by everything in it. While the host is inside the instance it is
also :func:`current`, which is how log lines find the host.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import NoReturn, Protocol

from ..error import described
from .outcome import Failure

JOB = (1 << 32) - 1
"""The operator id that means the job as a whole."""
NO_ROW = (1 << 32) - 1


class Level(IntEnum):
    """How much a log line matters."""

    TRACE = 0
    DEBUG = 1
    INFO = 2
    WARN = 3
    ERROR = 4


class Host(Protocol):
    """What the host offers."""

    def log(self, level: Level, operator: int, message: str) -> None:
        """Writes a line to the log of the job."""

    def emit(self, operator: int, port: int, block: bytes) -> None:
        """Hands on a block of output records."""

    def report_failure(self, operator: int, row: int, message: str) -> None:
        """Says which row is about to cause a trap."""


class Call:
    """The call in progress of one instance."""

    __slots__ = ("_reported", "failures", "host", "now", "operator")

    def __init__(self, host: Host) -> None:
        self.host = host
        self.operator = JOB
        self.now = 0
        self.failures: list[Failure] = []
        self._reported = False

    @contextmanager
    def entered(self, *, planning: bool = False) -> Iterator[None]:
        """Makes this the current call for a while; may be nested.

        What goes wrong without a record is told to the host as well, but not while the job is planned: ``plan`` has an
        error of its own.
        """
        global _current
        before, _current = _current, self
        if before is None:
            self._reported = False
        try:
            yield
        except BaseException as error:
            self.failures = []
            if not self._reported and not planning:
                self._reported = True
                self.host.report_failure(self.operator, NO_ROW, described(error))
            raise
        finally:
            _current = before
            if before is None:
                self.operator = JOB

    def refuse(self, operator: int, row: int, message: str) -> None:
        """Notes that an operator refused the record it was given."""
        self.failures.append(Failure(row, operator, message or "refused"))

    def take_failures(self) -> list[Failure]:
        """The refused records, in ascending order of row."""
        failures, self.failures = self.failures, []
        failures.sort(key=lambda failure: failure.row)
        return failures

    def trap(self, operator: int, row: int, error: BaseException) -> NoReturn:
        """Tells the host which record an exception was raised for, and lets it become a trap.

        ``SystemExit`` is one as well: a job cannot end its process.
        """
        if not self._reported:
            self._reported = True
            self.host.report_failure(operator, row, described(error))
        raise error


_current: Call | None = None


def current() -> Call | None:
    """The call of the instance that the host is inside of, if it is."""
    return _current
