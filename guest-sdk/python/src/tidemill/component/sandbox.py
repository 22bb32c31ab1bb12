"""What a job finds in place of an operating system.

A component has no files, clock, environment or randomness of its own: a call of WASI is a trap without a text. So
whatever Python code may reach for is replaced, by what the host hands out where there is such a thing (a log, a
processing time), else by an exception that says what to do instead.
"""

from __future__ import annotations

import builtins
import datetime
import gc
import io
import linecache
import logging
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from ..log import Handler, write
from ..runtime.call import Level, current

_PRELOADED = (traceback, warnings)
"""Modules that error messages are made with: later there is nothing to import them from."""

_COLLECT_AFTER = 50_000
"""New objects between two looks for cycles. A block makes thousands of records that live for one call and form no cycle,
so that looking after every 2,000, as Python does, finds nothing."""


class _Lines(io.TextIOBase):
    """Standard output or error: every line goes to the log of the job."""

    def __init__(self, level: Level) -> None:
        self._level = level
        self._rest = ""
        self._early: list[str] = []

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._line(line)
        return len(text)

    def _line(self, line: str) -> None:
        if current() is None:
            # While the component is built there is no log yet.
            self._early.append(line)
        else:
            write(self._level, line)

    def early(self) -> list[str]:
        """Takes what was said before there was a log."""
        lines, self._early = [*self._early, self._rest], []
        self._rest = ""
        return [f"{line}\n" for line in lines if line]

    def finish(self) -> None:
        """Writes the line that has no end."""
        if self._rest:
            rest, self._rest = self._rest, ""
            write(self._level, rest)


_STREAMS = _Lines(Level.INFO), _Lines(Level.WARN)


def redirect() -> None:
    """Sends standard output, standard error and the module ``logging`` to the log of the job."""
    sys.stdout = sys.__stdout__ = _STREAMS[0]  # type: ignore[assignment,misc]
    sys.stderr = sys.__stderr__ = _STREAMS[1]  # type: ignore[assignment,misc]
    sys.stdin = sys.__stdin__ = io.StringIO()  # type: ignore[assignment,misc]
    logging.basicConfig(handlers=[Handler()], level=logging.NOTSET, format="%(message)s")


def early_lines() -> list[str]:
    """Takes what was printed while the component was built."""
    return [line for stream in _STREAMS for line in stream.early()]


def finish_lines() -> None:
    """Writes lines that have no end yet."""
    for stream in _STREAMS:
        stream.finish()


def settle() -> None:
    """At the end of the build: what was imported stays for ever, so that nobody looks through it again."""
    gc.collect()
    gc.freeze()


def close() -> None:
    """At the first call: from here on there is nothing behind WASI."""
    gc.set_threshold(_COLLECT_AFTER)
    for name in ("time", "monotonic", "perf_counter", "process_time"):
        setattr(time, name, _seconds)
        setattr(time, f"{name}_ns", _nanoseconds)
    time.sleep = _refusing("time.sleep", "a job never waits: set a ProcessingTimer")
    datetime.datetime = _clocked(datetime.datetime, _Now)  # type: ignore[misc]
    datetime.date = _clocked(datetime.date, _Today)  # type: ignore[misc]
    no_file = "a job has no files: read what it needs while the module is imported, or give it as a source"
    builtins.open = io.open = _refusing("open", no_file)
    for name in ("open", "stat", "lstat", "listdir", "scandir", "mkdir", "remove", "rename", "getcwd"):
        setattr(os, name, _refusing(f"os.{name}", no_file))
    os.urandom = _refusing("os.urandom", "a job does the same every time: derive what is to look random from the record")
    linecache.updatecache = lambda filename, module_globals=None: []
    linecache.checkcache = lambda filename=None: None
    sys.meta_path.insert(0, _NoFiles())


def _now() -> int:
    call = current()
    # The host's least time is "none yet", which no calendar has.
    return 0 if call is None else max(call.now, 0)


def _seconds() -> float:
    return _now() / 1000


def _nanoseconds() -> int:
    return _now() * 1_000_000


def _refusing(what: str, instead: str) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise OSError(f"{what}: {instead}")

    return refuse


class _Now:
    """``datetime.now`` by the host's processing time."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return cls.fromtimestamp(_seconds(), tz or datetime.UTC).replace(tzinfo=tz)  # type: ignore[attr-defined]

    @classmethod
    def utcnow(cls) -> Any:
        return cls.now()

    @classmethod
    def today(cls) -> Any:
        return cls.now()


class _Today:
    """``date.today`` by the host's processing time."""

    @classmethod
    def today(cls) -> Any:
        return cls.fromordinal(_EPOCH + _now() // 86_400_000)  # type: ignore[attr-defined]


_EPOCH = datetime.date(1970, 1, 1).toordinal()


def _clocked(base: Any, clock: Any) -> Any:
    """A class in place of ``base``, whose methods are written in C and cannot be replaced."""

    class Meta(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, base)

    return Meta(base.__name__, (clock, base), {"__module__": "datetime", "__slots__": ()})


class _NoFiles:
    """Answers imports of what was not imported while the component was built."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> NoReturn:
        raise ModuleNotFoundError(
            f"module {name!r} was not imported while the component was built, and a job has no files:"
            " import it at the top of the module",
            name=name,
        )
