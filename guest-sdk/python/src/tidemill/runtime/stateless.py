"""Operators that keep nothing between records: map, filter, flat_map, key_by and timestamps.

Each takes a batch of records and passes on the next one. What an operator gave for a record that it refuses never leaves
it, which is all the undoing there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress, islice
from typing import Any, Generic, TypeVar

from ..block import Block
from ..error import Refusal
from ..record.spec import Spec
from .call import Call
from .chain import Head, Operator
from .outcome import Moment, Outcome
from .port import ROWS_FLUSH, ROWS_HARD, Port, Push

T = TypeVar("T")


class _StatelessHead:
    """Makes records of blocks and pushes them into a chain."""

    def __init__(self, spec: Spec[Any], push: Push) -> None:
        self._spec = spec
        self._push = push

    def process(self, input: int, at: Moment, block: Block, rows: Sequence[int], slots: Sequence[int]) -> Outcome:
        self._push(self._spec.read(block), block.times, range(block.rows))
        return Outcome()

    def on_timer(self, at: Moment, block: Block, slots: Sequence[int]) -> Outcome:
        raise AssertionError("the host fired a timer of an operator that has none")

    def apply(self, input: int, at: Moment, record: Block, keys: Block, slots: Sequence[int]) -> Outcome:
        raise AssertionError("the host applied a record of an input that the job does not broadcast")

    def fire(self, at: Moment, block: Block, offsets: Sequence[int], slots: Sequence[int]) -> Outcome:
        raise AssertionError("the host fired a window of an operator that has none")


class Stateless(Operator):
    """What all of them have in common."""

    def __init__(self, id: int, out: Port, call: Call, spec: Spec[Any], f: Callable[..., Any]) -> None:
        super().__init__(id, out)
        self.call = call
        self.spec = spec
        self.f = f

    def head(self, down: Push | None) -> Head:
        return _StatelessHead(self.spec, self.stage(down))

    def stage(self, down: Push | None) -> Push:
        raise NotImplementedError

    def applied(self, records: list[Any], rows: Sequence[int]) -> tuple[list[Any], list[int]]:
        """What the function gives for each record, and the indexes of those that it refused."""
        self.call.operator = self.id
        results: list[Any] = []
        refused: list[int] = []
        rest = map(self.f, iter(records))
        while True:
            try:
                # `extend` keeps what came before an exception, and the iterator goes on behind it.
                results.extend(rest)
                break
            except Refusal as refusal:
                index = len(results) + len(refused)
                refused.append(index)
                self.call.refuse(self.id, rows[index], str(refusal))
            except BaseException as error:
                self.call.trap(self.id, rows[len(results) + len(refused)], error)
        done = len(results) + len(refused)
        if done < len(records):
            # Raised by the function, it looks like the end of the records.
            self.call.trap(self.id, rows[done], RuntimeError("StopIteration left the function: give `next` a default"))
        return results, refused


def _without(values: Sequence[Any], refused: list[int]) -> Sequence[Any]:
    if not refused:
        return values
    gone = set(refused)
    return [value for index, value in enumerate(values) if index not in gone]


class MapOperator(Stateless):
    """Turns each record into one."""

    def stage(self, down: Push | None) -> Push:
        push = down or self.out.push

        def run(records: list[Any], times: Sequence[int], rows: Sequence[int]) -> None:
            results, refused = self.applied(records, rows)
            push(results, _without(times, refused), _without(rows, refused))

        return run


class FilterOperator(Stateless):
    """Keeps the records for which the function says so."""

    def stage(self, down: Push | None) -> Push:
        push = down or self.out.push

        def run(records: list[Any], times: Sequence[int], rows: Sequence[int]) -> None:
            keep, refused = self.applied(records, rows)
            for index in refused:
                keep.insert(index, False)
            push(list(compress(records, keep)), list(compress(times, keep)), list(compress(rows, keep)))

        return run


class TimestampsOperator(Stateless):
    """Gives each record an event time."""

    def stage(self, down: Push | None) -> Push:
        push = down or self.out.push

        def run(records: list[Any], _: Sequence[int], rows: Sequence[int]) -> None:
            times, refused = self.applied(records, rows)
            if set(map(type, times)) - {int}:
                kept = _without(rows, refused)
                wrong = next(i for i, time in enumerate(times) if type(time) is not int)
                error = TypeError(f"an event time is an int of milliseconds since 1970, not {times[wrong]!r}")
                self.call.trap(self.id, kept[wrong], error)
            push(list(_without(records, refused)), times, _without(rows, refused))

        return run


class ColumnsOperator(Stateless):
    """Puts columns behind each record, such as a computed key. Only the host reads them."""

    def stage(self, down: Push | None) -> Push:
        def run(records: list[Any], times: Sequence[int], rows: Sequence[int]) -> None:
            extras, refused = self.applied(records, rows)
            records, times, rows = list(_without(records, refused)), _without(times, refused), _without(rows, refused)
            if down is None:
                self.out.push(list(zip(records, extras)), times, rows)
            else:
                down(records, times, rows)

        return run


class Collected:
    """What a function emits on one output: records with their times and rows, handed on when they are many."""

    __slots__ = ("_push", "records", "rows", "times")

    def __init__(self, push: Push) -> None:
        self._push = push
        self.records: list[Any] = []
        self.times: list[int] = []
        self.rows: list[int] = []

    def settle(self, time: int, row: int) -> None:
        """Gives the records that were added last their time and row."""
        count = len(self.records)
        self.times.extend([time] * (count - len(self.times)))
        self.rows.extend([row] * (count - len(self.rows)))

    def take_back(self) -> None:
        """Forgets the records that were added last."""
        del self.records[len(self.rows) :]
        del self.times[len(self.rows) :]

    def flush(self) -> None:
        """Hands on what there is."""
        if self.records:
            records, times, rows = self.records, self.times, self.rows
            self.records, self.times, self.rows = [], [], []
            self._push(records, times, rows)

    def flush_if_full(self) -> None:
        """Hands on what there is, if it is much."""
        if len(self.records) >= ROWS_FLUSH:
            self.flush()


def drain(results: object, into: Collected, time: int, row: int, undo: bool) -> None:
    """Takes all records of an iterable, in pieces where it has very many."""
    if not isinstance(results, Iterable):
        raise TypeError(f"a function that emits any number of records returns or yields them, not {results!r}")
    rest: Iterator[Any] = iter(results)
    while True:
        into.records.extend(islice(rest, ROWS_HARD))
        if len(into.records) - len(into.rows) < ROWS_HARD:
            return
        if undo:
            raise OverflowError(f"one record gave {ROWS_HARD} records or more, which cannot be undone should it be refused")
        into.settle(time, row)
        into.flush()


class FlatMapOperator(Stateless):
    """Turns each record into any number of records."""

    def stage(self, down: Push | None) -> Push:
        push = down or self.out.push

        def run(records: list[Any], times: Sequence[int], rows: Sequence[int]) -> None:
            out = Collected(push)
            for record, time, row in zip(records, times, rows):
                self.call.operator = self.id
                try:
                    drain(self.f(record), out, time, row, self.undo)
                except Refusal as refusal:
                    out.take_back()
                    self.call.refuse(self.id, row, str(refusal))
                except BaseException as error:
                    self.call.trap(self.id, row, error)
                out.settle(time, row)
                out.flush_if_full()
            out.flush()

        return run


class SplitOperator(Stateless):
    """Sends each record to a main output, to a side output, to both or to neither."""

    def __init__(self, id: int, out: Port, side: Port, call: Call, spec: Spec[Any], f: Callable[..., Any]) -> None:
        super().__init__(id, out, call, spec, f)
        self._side = side

    def stage(self, down: Push | None) -> Push:
        push = down or self.out.push

        def run(records: list[Any], times: Sequence[int], rows: Sequence[int]) -> None:
            outs = Collected(push), Collected(self._side.push)
            for record, time, row in zip(records, times, rows):
                self.call.operator = self.id
                try:
                    self.f(record, Emit(outs[0]), Emit(outs[1]))
                except Refusal as refusal:
                    for out in outs:
                        out.take_back()
                    self.call.refuse(self.id, row, str(refusal))
                except BaseException as error:
                    self.call.trap(self.id, row, error)
                for out in outs:
                    out.settle(time, row)
                    out.flush_if_full()
            for out in outs:
                out.flush()

        return run


class Emit(Generic[T]):
    """Takes the records that a function of ``split`` emits."""

    __slots__ = ("_out",)

    def __init__(self, out: Collected) -> None:
        self._out = out

    def emit(self, record: T) -> None:
        """Emits a record at the event time of the one in hand."""
        self._out.records.append(record)
