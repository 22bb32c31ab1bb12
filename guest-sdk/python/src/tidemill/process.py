"""Process functions: keyed state, timers, and full control over what is emitted when.

A :class:`Process` handles the records of one keyed stream, a :class:`Process2` those of two with the same key. State,
timers and side outputs are declared by annotations; their names in the plan are those of the attributes, or what
``Annotated[..., Name("other")]`` says. State is found by them across versions of the job::

    class Visits(Process[str, Visit, UserCount]):
        \"\"\"Emits a user's number of visits when none has come for a minute.\"\"\"

        count: Value[int]
        quiet: EventTimer

        def on_record(self, ctx: Ctx[str, UserCount], visit: Visit) -> None:
            self.count.set(self.count.get(0) + 1)
            self.quiet.replace(visit.at + 60_000)

        def on_timer(self, ctx: Ctx[str, UserCount], event: TimerEvent) -> None:
            ctx.emit(UserCount(ctx.key, self.count.take() or 0))
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from .error import JobError
from .folded import Folding
from .record.cell import name_in
from .record.spec import Misfit, Spec, spec_of
from .runtime.outcome import TimerAction, TimerOp
from .runtime.slots import SharedTouched, Slots, Touched
from .runtime.stateless import Collected
from .state import Piece
from .ttl import Ttl, expiring, ttl_in

K = TypeVar("K")
In = TypeVar("In")
In2 = TypeVar("In2")
Out = TypeVar("Out")
T = TypeVar("T")

__all__ = ["Ctx", "EventTimer", "Process", "Process2", "ProcessingTimer", "SideOutput", "TimerEvent"]


class Timer:
    """A declared timer: any number of times per key at which ``on_timer`` is called. It means those of the key in hand."""

    __slots__ = ("_index", "_name", "_touched")

    _index: int
    _touched: Touched
    _name: str
    domain: Literal["event", "processing"]

    @classmethod
    def declared(cls, name: str, index: int, touched: Touched) -> Any:
        """The timer of this index."""
        timer = cls.__new__(cls)
        timer._index, timer._touched, timer._name = index, touched, name
        return timer

    @property
    def index(self) -> int:
        """Which of the function's timers it is."""
        return self._index

    def add(self, time: int) -> None:
        """Sets a timer beside those that are set; one of the same time is the same timer."""
        self._push(TimerAction.ADD, time)

    def replace(self, time: int) -> None:
        """Sets a timer in place of all others of this name."""
        self._push(TimerAction.REPLACE, time)

    def delete(self, time: int) -> None:
        """Removes the timer of exactly this time, if there is one."""
        self._push(TimerAction.DELETE, time)

    def clear(self) -> None:
        """Removes all timers of this name."""
        self._push(TimerAction.CLEAR, 0)

    def _push(self, action: TimerAction, time: int) -> None:
        slot = self._touched.slot
        if slot is None:
            raise RuntimeError(f"timer {self._name!r} is that of one key: it can be set in on_record and on_timer only")
        if not isinstance(time, int) or not -(1 << 63) <= time < 1 << 63:
            raise TypeError(f"timer {self._name!r}: a time is an int of milliseconds since 1970, not {time!r}")
        self._touched.timers.append(TimerOp(slot, self._index, action, time))


class EventTimer(Timer):
    """A timer driven by watermarks."""

    __slots__ = ()
    domain = "event"


class ProcessingTimer(Timer):
    """A timer driven by the host's clock."""

    __slots__ = ()
    domain = "processing"


class SideOutput(Generic[T]):
    """An output beside the main one; ``side_output`` of the function's results gives its records."""

    __slots__ = ("_name", "_out")

    _out: Collected | None
    _name: str

    @classmethod
    def declared(cls, name: str) -> Any:
        """The side output of this name."""
        side = cls.__new__(cls)
        side._name = name
        side._out = None
        return side

    def collect(self, out: Collected | None) -> None:
        """Says where the records go."""
        self._out = out

    def emit(self, record: T) -> None:
        """Emits a record at the time of the record or timer in hand."""
        if self._out is None:
            raise RuntimeError(f"side output {self._name!r} takes records in on_record and on_timer only")
        self._out.records.append(record)


@dataclass(frozen=True, slots=True)
class TimerEvent:
    """A timer that is due."""

    timer: Timer
    """Which: ``event.timer is self.quiet``."""
    time: int
    """The time it was set for, in milliseconds."""


class Ctx(Generic[K, Out]):
    """What a process function sees besides the record: its key, times and output."""

    __slots__ = ("_keys", "_out", "_row", "now", "time", "watermark")

    time: int
    """The event time of the record, or the time the timer was set for, in milliseconds."""
    watermark: int
    """The watermark of the operator: no record before it is expected any more. The least 64-bit integer before the first."""
    now: int
    """Processing time as the host hands it out, in milliseconds."""

    def __init__(self, watermark: int, now: int, keys: Sequence[K], out: Collected) -> None:
        self.watermark = watermark
        self.now = now
        self.time = 0
        self._keys = keys
        self._row = 0
        self._out = out

    def at(self, row: int, time: int) -> None:
        """Goes to a row of the block."""
        self._row = row
        self.time = time

    @property
    def key(self) -> K:
        """The key."""
        return self._keys[self._row]

    def emit(self, record: Out) -> None:
        """Emits a record at the time of this context."""
        self._out.records.append(record)

    def emit_at(self, record: Out, time: int) -> None:
        """Emits a record at another event time."""
        out = self._out
        # Those before it get their time at the end; this one needs its own among them.
        missing = len(out.records) - len(out.times)
        out.times.extend([self.time] * missing)
        out.records.append(record)
        out.times.append(time)


class Function:
    """What process functions of one and of two streams have in common."""

    _names: dict[str, Any] = {}
    __bound: frozenset[str] = frozenset()

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        # Names of an enclosing function, for annotations that are still text.
        cls._names = dict(sys._getframe(1).f_locals)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__bound:
            raise AttributeError(f"{name!r} is declared: what it holds is changed by its methods, not by assigning to it")
        super().__setattr__(name, value)

    def bound(self, declared: Declared) -> Any:
        """A copy of the function, with what it declares as attributes."""
        function = copy.copy(self)
        for attribute, handle in declared.handles.items():
            object.__setattr__(function, attribute, handle)
        object.__setattr__(function, "_Function__bound", frozenset(declared.handles))
        return function


class Process(Function, Generic[K, In, Out]):
    """A function over a keyed stream: the types are those of its key, its records and what it emits.

    What is to be remembered belongs into declared state: other attributes are shared by all keys of an instance, differ
    between workers and are gone after a restart.
    """

    def on_record(self, ctx: Ctx[K, Out], record: In, /) -> None:
        """Handles a record. A ``Refusal`` refuses it, and undoes what was done for it if the job goes on."""
        raise NotImplementedError

    def on_timer(self, ctx: Ctx[K, Out], event: TimerEvent, /) -> None:
        """Handles a timer that is due."""


class Process2(Function, Generic[K, In, In2, Out]):
    """A function over two streams with the same key: Flink's ``connect``."""

    def on_first(self, ctx: Ctx[K, Out], record: In, /) -> None:
        """Handles a record of the first stream."""
        raise NotImplementedError

    def on_second(self, ctx: Ctx[K, Out], record: In2, /) -> None:
        """Handles a record of the second stream."""
        raise NotImplementedError

    def on_timer(self, ctx: Ctx[K, Out], event: TimerEvent, /) -> None:
        """Handles a timer that is due."""


_PARAMETERS: dict[type, str] = {Process: "key, record, result", Process2: "key, first, second, result"}
"""The types that a class gives, by its base."""


@dataclass
class Declared:
    """What a process function declares."""

    slots: Slots
    handles: dict[str, Any]
    """State, timers and side outputs by attribute."""
    pieces: list[Piece] = field(default_factory=list)
    """State of each key."""
    shared: list[Any] = field(default_factory=list)
    """State that all keys share."""
    shared_touched: SharedTouched = field(default_factory=SharedTouched)
    timers: list[Timer] = field(default_factory=list)
    timer_names: list[str] = field(default_factory=list)
    sides: list[tuple[str, SideOutput[Any], Spec[Any]]] = field(default_factory=list)


def declared(function: object) -> Declared:
    """What the annotations of a function declare, in the order in which they stand.

    Raises:
        JobError: one of them cannot be understood.
    """
    cls = type(function)
    shown = f"process function {cls.__qualname__}"
    try:
        hints = get_type_hints(cls, localns=dict(cast("Any", cls)._names), include_extras=True)
    except NameError as error:
        raise JobError(f"{shown}: {error}") from None
    touched = Touched()
    found = Declared(Slots([]), {})
    for attribute, hint in hints.items():
        name = name_in(hint) or attribute
        inner = get_args(hint)[0] if get_origin(hint) is Annotated else hint
        kind = get_origin(inner) or inner
        try:
            ttl = ttl_in(hint)
            if isinstance(kind, type) and issubclass(kind, Folding):
                _fold(found, touched, attribute, name, kind, get_args(inner), getattr(cls, attribute, None), ttl)
            else:
                _declare(found, touched, attribute, name, kind, get_args(inner), ttl)
        except (Misfit, IndexError) as error:
            raise JobError(f"{shown}, {attribute!r}: {error or 'say of what, as in Value[int]'}") from None
    # The columns of what is shared stand behind those of the keys' state.
    found.slots = Slots([piece.table for piece in (*found.pieces, *found.shared)])
    found.slots.touched = touched
    return found


def _declare(
    found: Declared, touched: Touched, attribute: str, name: str, kind: Any, types: tuple[Any, ...], ttl: Ttl | None
) -> None:
    from .broadcast import Shared

    if not isinstance(kind, type):
        return
    if issubclass(kind, Piece):
        if not types:
            raise Misfit(f"say of what it is, as in {kind.__name__}[int]")
        piece = kind.declared(name, types, touched) if ttl is None else expiring(kind, name, types, touched, ttl)
        if ttl is not None:
            _sweep(found, touched, ttl)
        found.pieces.append(piece)
        found.handles[attribute] = piece
    elif ttl is not None:
        raise Misfit("only a Value, a ListState or a MapState of a key lives for a time")
    elif issubclass(kind, Shared):
        if not types:
            raise Misfit(f"say of what it is, as in {kind.__name__}[int]")
        shared = kind.declared(name, types, found.shared_touched)
        found.shared.append(shared)
        found.handles[attribute] = shared
    elif issubclass(kind, Timer):
        if not hasattr(kind, "domain"):
            raise Misfit("a timer is an EventTimer or a ProcessingTimer")
        timer = kind.declared(name, len(found.timers), touched)
        found.timers.append(timer)
        found.timer_names.append(name)
        found.handles[attribute] = timer
    elif issubclass(kind, SideOutput):
        if not types:
            raise Misfit("say of what it is, as in SideOutput[Alert]")
        side = kind.declared(name)
        found.sides.append((name, side, spec_of(types[0])))
        found.handles[attribute] = side


def _fold(
    found: Declared,
    touched: Touched,
    attribute: str,
    name: str,
    kind: type[Folding],
    types: tuple[Any, ...],
    how: object,
    ttl: Ttl | None,
) -> None:
    """Declares state that folds as its default says."""
    if ttl is not None:
        raise Misfit("only a Value, a ListState or a MapState of a key lives for a time")
    if not isinstance(how, kind):
        raise Misfit(f"say how it folds, as in {attribute}: {kind.__name__}[...] = {kind.__name__}(...)")
    piece = how.attached(name, types, touched)
    found.pieces.append(piece)
    found.handles[attribute] = piece


def _sweep(found: Declared, touched: Touched, ttl: Ttl) -> None:
    """Declares the timer that sweeps what lives for a time, once for each domain."""
    if touched.expiry is None or ttl.domain in touched.expiry.sweepers:
        return
    name, kind = f"$expire-{ttl.domain}", EventTimer if ttl.domain == "event" else ProcessingTimer
    touched.expiry.sweepers[ttl.domain] = len(found.timers)
    found.timers.append(kind.declared(name, len(found.timers), touched))
    found.timer_names.append(name)


def types_of(function: object, base: type) -> tuple[Any, ...]:
    """The types that a class gives ``Process``, ``Process2`` or ``BroadcastProcess``.

    Raises:
        JobError: it gives none.
    """
    cls = type(function)
    for ancestor in cls.__mro__:
        for parametrised in getattr(ancestor, "__orig_bases__", ()):
            if get_origin(parametrised) is base:
                types = get_args(parametrised)
                if not any(isinstance(part, TypeVar) for part in types):
                    return types
    if isinstance(function, base):
        parameters = _PARAMETERS.get(base, "key, record, broadcast, result")
        raise JobError(
            f"process function {cls.__qualname__} does not say its types: class {cls.__name__}({base.__name__}[{parameters}])"
        )
    given = f"the class {function.__name__}: give an instance of it" if isinstance(function, type) else repr(function)
    raise JobError(f"a process function is an instance of a class derived from {base.__name__}, not {given}")
