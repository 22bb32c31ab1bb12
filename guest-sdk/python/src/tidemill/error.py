"""Errors of a job: what is wrong with it or its arguments, or why it refuses a record."""

from __future__ import annotations

import re
from types import TracebackType

_FRAMES_MAX = 5
_MOUNT = re.compile(r"^/(\d+|bundled)/")


class Error(Exception):
    """A message for whoever runs the job: one lowercase clause."""


class JobError(Error):
    """Something is wrong with the job or its arguments."""


class Refusal(Error):
    """Raised by a function that refuses the record it was given.

    What the operator did for the record is undone, and its ``on_error`` policy says what becomes of the job: ``fail`` (the
    default), ``skip`` or ``dead-letter``. Any other exception is a defect of the job and ends it.
    """


def described(error: BaseException) -> str:
    """An exception with the lines of the job that it went through, the innermost first."""
    text = str(error)
    kind = type(error).__name__
    message = text if isinstance(error, Error) and text else f"{kind}: {text}" if text else kind
    places = _places(error.__traceback__)
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    because = f"; caused by {described(cause)}" if cause is not None and not isinstance(error, Error) else ""
    return f"{message} ({places}){because}" if places else f"{message}{because}"


def _places(traceback: TracebackType | None) -> str:
    frames = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not _is_own(traceback.tb_frame.f_globals.get("__name__", "")):
            # A lambda has no name that helps.
            within = f" in {code.co_qualname}" if "<lambda>" not in code.co_name else ""
            frames.append(f"{_MOUNT.sub('', code.co_filename)}:{traceback.tb_lineno}{within.replace('<locals>.', '')}")
        traceback = traceback.tb_next
    return ", called from ".join(frames[: -_FRAMES_MAX - 1 : -1])


def _is_own(module: str) -> bool:
    return module == "tidemill" or module.startswith("tidemill.")
