"""Records: the typed rows of blocks.

A record is a class with annotated fields under ``@record``: immutable, compared by value, and a tuple underneath, so that
columns become records and records columns by one ``zip``. Single values, ``tuple[...]`` of up to eight fields and the
records of :mod:`tidemill.record.composite` are records too.
"""

from .cell import I32, Json, Name
from .composite import DeadLetter, KeyCount, KeyValue, WindowCount, WindowRecord, WindowValue
from .declare import record, replace

__all__ = [
    "I32",
    "DeadLetter",
    "Json",
    "KeyCount",
    "KeyValue",
    "Name",
    "WindowCount",
    "WindowRecord",
    "WindowValue",
    "record",
    "replace",
]
