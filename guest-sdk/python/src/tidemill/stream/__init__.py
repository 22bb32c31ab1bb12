"""Streams: the fluent face of a job.

A method adds an operator and returns the stream of its results. Every operator has a name, given first: it is what
plans, metrics and errors show, and how state is found again when the job changes. What a function gives is told by its
return annotation; a lambda has none, so that ``out=`` says it.
"""

from .broadcast import WithBroadcast
from .co_group import CoGroup, CoGroupResults
from .join import JoinResults, Pair, Side, Sides, WindowedSides
from .keyed import Connected, KeyedStream, Processed
from .source import Source, TaggedSource
from .stream import Stream
from .windowed import WindowedStream, WindowResults

__all__ = [
    "CoGroup",
    "CoGroupResults",
    "Connected",
    "JoinResults",
    "KeyedStream",
    "Pair",
    "Processed",
    "Side",
    "Sides",
    "Source",
    "Stream",
    "TaggedSource",
    "WindowResults",
    "WindowedSides",
    "WindowedStream",
    "WithBroadcast",
]
