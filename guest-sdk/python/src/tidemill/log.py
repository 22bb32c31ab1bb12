"""The log of the job: ``log.info("...")``, and ``trace``, ``debug``, ``warn`` and ``error`` alike.

A line carries the operator that wrote it; the host cuts lines at 4 KiB and counts what comes too fast. ``print`` and the
module ``logging`` of the standard library end up here too.
"""

from __future__ import annotations

import logging

from .runtime.call import Level, current

__all__ = ["debug", "error", "info", "trace", "warn"]


def trace(message: str) -> None:
    """A line for the author of the job, while looking for a bug."""
    write(Level.TRACE, message)


def debug(message: str) -> None:
    """A line for the author of the job."""
    write(Level.DEBUG, message)


def info(message: str) -> None:
    """A line worth knowing in normal operation."""
    write(Level.INFO, message)


def warn(message: str) -> None:
    """A line that somebody should look at some day."""
    write(Level.WARN, message)


def error(message: str) -> None:
    """A line that somebody should look at now."""
    write(Level.ERROR, message)


def write(level: Level, message: str) -> None:
    """Writes a line, if the host is inside of an instance."""
    call = current()
    if call is not None:
        call.host.log(level, call.operator, str(message))


class Handler(logging.Handler):
    """Hands what the module ``logging`` is given to the log of the job."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a line."""
        levels = (
            (logging.ERROR, Level.ERROR),
            (logging.WARNING, Level.WARN),
            (logging.INFO, Level.INFO),
            (logging.DEBUG, Level.DEBUG),
        )
        level = next((level for least, level in levels if record.levelno >= least), Level.TRACE)
        try:
            message = record.getMessage()
            if record.exc_info and record.exc_info[1] is not None:
                from .error import described

                message = f"{message}: {described(record.exc_info[1])}"
        except Exception as wrong:
            message = f"a log line that cannot be formatted: {record.msg!r} ({wrong})"
        write(level, message)
