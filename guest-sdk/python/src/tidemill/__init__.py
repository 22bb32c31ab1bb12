"""Write `Tidemill <https://github.com/tidemill/tidemill>`_ streaming jobs in Python.

A job is a function that connects sources, operators and sinks; the host does everything that is hard: decoding,
partitioning, event time, windows, timers, state, checkpoints, recovery. The whole of a job::

    from tidemill import Job, Window, aggregates, job, out_of_order, record, seconds, tumbling


    @record
    class Reading:
        sensor: str
        celsius: float
        at: int


    @record
    class Average:
        sensor: str
        celsius: float
        until: int


    def average(window: Window[str], celsius: float) -> Average:
        return Average(window.key, celsius, window.end)


    @job
    def sensor_averages(job: Job) -> None:
        (
            job.source("readings", Reading, default="stdin:")
            .event_time(Reading.at, out_of_order(seconds(2)))
            .key_by(Reading.sensor)
            .window(tumbling(seconds(10)))
            .aggregate("average", aggregates.mean(Reading.celsius), average)
            .sink("averages", default="stdout:")
        )

``tidemill build`` makes a component of it, and the same function runs under pytest: see :mod:`tidemill.testing`.
"""

from . import aggregates, evictors, log, triggers
from .broadcast import BroadcastCtx, BroadcastMap, BroadcastProcess, BroadcastValue
from .error import Error, JobError, Refusal
from .folded import AggregatingState, ReducingState
from .job import Job, job
from .process import Ctx, EventTimer, Process, Process2, ProcessingTimer, SideOutput, TimerEvent
from .record import (
    I32,
    DeadLetter,
    Json,
    KeyCount,
    KeyValue,
    Name,
    WindowCount,
    WindowRecord,
    WindowValue,
    record,
    replace,
)
from .runtime.stateless import Emit
from .state import ListState, MapState, Value
from .stream import (
    CoGroup,
    CoGroupResults,
    Connected,
    JoinResults,
    KeyedStream,
    Pair,
    Processed,
    Side,
    Sides,
    Source,
    Stream,
    TaggedSource,
    WindowedSides,
    WindowedStream,
    WindowResults,
    WithBroadcast,
)
from .time import Watermarks, days, hours, millis, minutes, monotonic, out_of_order, seconds, to_ms
from .ttl import Ttl
from .watermark import Generated, WatermarkGenerator, generator, periodic, punctuated
from .window import (
    Window,
    Windows,
    calendar_days,
    global_window,
    records,
    records_sliding,
    session,
    session_by,
    sliding,
    tumbling,
)

__version__ = "0.1.0"

__all__ = [
    "I32",
    "AggregatingState",
    "BroadcastCtx",
    "BroadcastMap",
    "BroadcastProcess",
    "BroadcastValue",
    "CoGroup",
    "CoGroupResults",
    "Connected",
    "Ctx",
    "DeadLetter",
    "Emit",
    "Error",
    "EventTimer",
    "Generated",
    "Job",
    "JobError",
    "JoinResults",
    "Json",
    "KeyCount",
    "KeyValue",
    "KeyedStream",
    "ListState",
    "MapState",
    "Name",
    "Pair",
    "Process",
    "Process2",
    "Processed",
    "ProcessingTimer",
    "ReducingState",
    "Refusal",
    "Side",
    "SideOutput",
    "Sides",
    "Source",
    "Stream",
    "TaggedSource",
    "TimerEvent",
    "Ttl",
    "Value",
    "WatermarkGenerator",
    "Watermarks",
    "Window",
    "WindowCount",
    "WindowRecord",
    "WindowResults",
    "WindowValue",
    "WindowedSides",
    "WindowedStream",
    "Windows",
    "WithBroadcast",
    "aggregates",
    "calendar_days",
    "days",
    "evictors",
    "generator",
    "global_window",
    "hours",
    "job",
    "log",
    "millis",
    "minutes",
    "monotonic",
    "out_of_order",
    "periodic",
    "punctuated",
    "record",
    "records",
    "records_sliding",
    "replace",
    "seconds",
    "session",
    "session_by",
    "sliding",
    "to_ms",
    "triggers",
    "tumbling",
]
