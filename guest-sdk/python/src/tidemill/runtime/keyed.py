"""Process functions: the head that gives each record its slot's state and collects timer changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..block import Block
from ..error import Refusal
from ..record.spec import Spec
from ..schema import Column, Type
from .call import Call
from .chain import Head, Operator
from .expiring import LEAST, Clock
from .outcome import Moment, Outcome
from .port import ROWS_FLUSH, Port, Push
from .slots import CHANGED, Slots, Touched
from .stateless import Collected

if TYPE_CHECKING:
    from ..process import Ctx, Declared, TimerEvent

TIMER = Column("$timer", Type.I32)


@dataclass(frozen=True)
class Broadcast:
    """The input behind those with keys, all of whose records come to every worker."""

    spec: Spec[Any]
    on_broadcast: Callable[[Any, Any], None]
    on_key: Callable[[Any, Any], None]


class KeyedOperator(Operator):
    """The operator of a process function of any number of inputs."""

    def __init__(
        self,
        id: int,
        out: Port,
        call: Call,
        declared: Declared,
        handlers: Sequence[tuple[Spec[Any], Callable[[Any, Any], None]]],
        on_timer: Callable[[Any, Any], None],
        key: Spec[Any],
        key_indexes: Sequence[Sequence[int]],
        sides: Sequence[Port],
        broadcast: Broadcast | None = None,
    ) -> None:
        super().__init__(id, out, declared.slots)
        self.call = call
        self.declared = declared
        self.state: Slots = declared.slots
        self.handlers = handlers
        """Per input, the spec of its records and what handles one."""
        self.on_timer = on_timer
        self.key = key
        self.key_indexes = key_indexes
        """Per input, the columns of the key."""
        self.sides = sides
        self.broadcast = broadcast

    def head(self, down: Push | None) -> Head:
        return _KeyedHead(self, down or self.out.push)


def read_keys(block: Block, key: Spec[Any], indexes: Sequence[int]) -> list[Any]:
    """The key of each row; one of a single column is that column's value."""
    columns = [block.column(index, column.type, column.optional) for index, column in zip(indexes, key.columns)]
    return key.make(columns, block.rows)


class _KeyedHead:
    def __init__(self, operator: KeyedOperator, push: Push) -> None:
        self._operator = operator
        self._push = push
        for touched in (operator.state.touched, operator.declared.shared_touched):
            touched.undo = [] if operator.undo else None

    def process(self, input: int, at: Moment, block: Block, rows: Sequence[int], slots: Sequence[int]) -> Outcome:
        operator = self._operator
        keyed = self._shared(slots)
        if input == len(operator.handlers) and operator.broadcast is not None:
            return self._broadcast(at, block, slots[-1], operator.broadcast)
        spec, handler = operator.handlers[input]
        records = spec.read(block)
        keys = read_keys(block, operator.key, operator.key_indexes[input])
        if operator.broadcast is not None and not operator.key.columns:
            # Records without a key reach what is shared and nothing else, which they cannot change.
            outcome = self._run(at, block.times, keys, range(block.rows), [slots[-1]] * block.rows, records, handler)
            return Outcome(timers=outcome.timers)
        return self._run(at, block.times, keys, rows or range(block.rows), keyed, records, handler)

    def apply(self, input: int, at: Moment, record: Block, keys: Block, slots: Sequence[int]) -> Outcome:
        operator = self._operator
        if operator.broadcast is None:
            raise AssertionError("the host applied a record of an input that the job does not broadcast")
        items = operator.broadcast.spec.read(record) * keys.rows
        read = read_keys(keys, operator.key, range(len(operator.key.columns)))
        keyed = self._shared(slots)
        return self._run(at, keys.times, read, range(keys.rows), keyed, items, operator.broadcast.on_key, of_one=True)

    def _shared(self, slots: Sequence[int]) -> Sequence[int]:
        """The slots of keys; that of what all keys share stands behind them, and can be read from now on."""
        operator = self._operator
        if operator.broadcast is None:
            return slots
        operator.state.reserve(slots[-1:])
        operator.declared.shared_touched.reading = slots[-1]
        return slots[:-1]

    def _broadcast(self, at: Moment, block: Block, slot: int, broadcast: Broadcast) -> Outcome:
        from ..broadcast import BroadcastCtx

        def handler(ctx: Ctx[Any, Any], record: Any) -> None:
            broadcast.on_broadcast(BroadcastCtx(ctx), record)

        rows, records = range(block.rows), broadcast.spec.read(block)
        keys: list[Any] = [()] * block.rows
        touched = self._operator.declared.shared_touched
        return self._run(at, block.times, keys, rows, [slot] * block.rows, records, handler, touched)

    def on_timer(self, at: Moment, block: Block, slots: Sequence[int]) -> Outcome:
        from ..process import TimerEvent

        operator = self._operator
        width = len(operator.key.columns)
        keys = read_keys(block, operator.key, range(width))
        timers = operator.declared.timers
        times = block.times
        events = [TimerEvent(timers[i], time) for i, time in zip(block.column(width, TIMER.type, False), times)]
        return self._run(at, times, keys, range(block.rows), self._shared(slots), events, self._on_timer, are_timers=True)

    def _on_timer(self, ctx: Ctx[Any, Any], event: TimerEvent) -> None:
        """Hands a timer to the function, unless it is one that sweeps."""
        touched = self._operator.state.touched
        if touched.expiry is None or touched.slot is None or not touched.expiry.fired(touched.slot, event.timer.index):
            self._operator.on_timer(ctx, event)

    def fire(self, at: Moment, block: Block, offsets: Sequence[int], slots: Sequence[int]) -> Outcome:
        raise AssertionError("the host fired a window of an operator that has none")

    def _run(
        self,
        at: Moment,
        times: list[int],
        keys: list[Any],
        rows: Sequence[int],
        entries: Sequence[int],
        items: list[Any],
        handler: Callable[[Ctx[Any, Any], Any], None],
        touched: Touched | None = None,
        *,
        of_one: bool = False,
        are_timers: bool = False,
    ) -> Outcome:
        """Handles each entry; ``of_one`` says that all are about the one record of the call."""
        from ..process import Ctx

        operator, slots, call = self._operator, self._operator.state, self._operator.call
        touched = touched or slots.touched
        outs = [Collected(self._push), *(Collected(side.push) for side in operator.sides)]
        for (_, handle, _), collected in zip(operator.declared.sides, outs[1:]):
            handle.collect(collected)
        slots.reserve(entries)
        expiry = touched.expiry
        ctx: Ctx[Any, Any] = Ctx(at.watermark, at.now, keys, outs[0])
        touched.timers = []
        seen: dict[int, int] = {}
        try:
            call.operator = operator.id
            for row, slot in zip(rows, entries):
                time, told = times[row], 0 if of_one else row
                ctx.at(row, time)
                touched.slot, touched.flags = slot, 0
                before = len(touched.timers)
                if expiry is not None:
                    expiry.begin(Clock(LEAST if are_timers else time, at.watermark, at.now))
                try:
                    handler(ctx, items[row])
                    if expiry is not None:
                        expiry.schedule(slot, slots.tables, touched)
                except Refusal as refusal:
                    self._undo(touched, outs, before)
                    call.refuse(operator.id, told, str(refusal))
                except BaseException as error:
                    call.trap(operator.id, told, error)
                if touched.undo:
                    touched.undo.clear()
                seen[slot] = seen.get(slot, 0) | touched.flags
                for out in outs:
                    if len(out.records) != len(out.rows):
                        out.settle(time, told)
                        if len(out.records) >= ROWS_FLUSH:
                            out.flush()
                            call.operator = operator.id
        finally:
            touched.slot = operator.declared.shared_touched.reading = None
            for _, handle, _ in operator.declared.sides:
                handle.collect(None)
        for out in outs:
            out.flush()
        return _sorted_out(slots, touched, seen)

    def _undo(self, touched: Touched, outs: list[Collected], timers: int) -> None:
        touched.roll_back()
        touched.flags = 0
        del touched.timers[timers:]
        for out in outs:
            out.take_back()


def _sorted_out(slots: Slots, touched: Touched, seen: dict[int, int]) -> Outcome:
    """What a call did, with the slots that it left empty or as they were."""
    outcome = Outcome(timers=touched.timers)
    for slot, flags in seen.items():
        if flags == CHANGED:
            continue
        if slots.is_empty(slot):
            outcome.cleared.append(slot)
        elif not flags & CHANGED:
            outcome.unchanged.append(slot)
    return outcome
