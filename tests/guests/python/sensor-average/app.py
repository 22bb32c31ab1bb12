"""The average temperature of each sensor in windows of ten seconds, written against the bare contract.

No SDK: the bindings are those of componentize-py, blocks are read and written with `struct`. It is the
twin of the guest in C: same plan, same output, same exported state, byte for byte.
"""

import functools
import json
import struct

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import host
from wit_world.imports.types import Argument, Failure, LogLevel, Outcome

READING = "sensor:string,celsius:f64,at:i64"
STATE = "acc.sum:f64?,acc.n:i64?"
PLAN = {
    "contract": "0.1.0",
    "name": "sensor-average",
    "operators": [
        {
            "name": "readings",
            "kind": {
                "source": {
                    "binding": "readings",
                    "default": "stdin:",
                    "format": "json",
                    "time": "at",
                    "watermarks": {"bounded": {"ms": 2000}},
                }
            },
            "outputs": [{"schema": READING}],
        },
        {"name": "plausible", "kind": "filter", "inputs": [{"from": "readings"}], "outputs": [{"schema": READING}]},
        {
            "name": "calibrated",
            "kind": "map",
            "inputs": [{"from": "plausible"}],
            "outputs": [{"schema": READING}],
            "on-error": "skip",
        },
        {
            "name": "average",
            "kind": {
                "window": {
                    "key": ["sensor"],
                    "assigner": {"tumbling": {"size_ms": 10000}},
                    "compute": "guest",
                    "state": [{"name": "acc", "kind": "accumulator", "schema": "sum:f64,n:i64"}],
                }
            },
            "inputs": [{"from": "calibrated"}],
            "outputs": [{"schema": "sensor:string,celsius:f64,until:i64"}],
        },
        {
            "name": "averages",
            "kind": {"sink": {"binding": "averages", "default": "stdout:", "format": "json"}},
            "inputs": [{"from": "average"}],
        },
    ],
}
PLAUSIBLE, CALIBRATED, AVERAGE = 1, 2, 3
# No block has this row: the host keeps the text of the report and blames no record.
NO_ROW = 2**32 - 1

HEADER, ENTRY = 32, 16
CODES = {"bool": 1, "i32": 2, "i64": 3, "f64": 4, "string": 5, "bytes": 6}
FIXED = {1: "?", 2: "i", 3: "q", 4: "d"}


def pad8(part: bytes) -> bytes:
    return part + bytes(-len(part) % 8)


def decode(block: bytes) -> tuple[list[int], list[list]]:
    """The event times and the columns of a block; absent values are None."""
    columns, rows = struct.unpack_from("<HI", block, 6)
    at = HEADER + ENTRY * columns
    times = list(struct.unpack_from(f"<{rows}q", block, at))
    result = []
    for column in range(columns):
        code, optional, _, validity, data, heap = struct.unpack_from("<BBHIII", block, HEADER + ENTRY * column)
        if code in FIXED:
            values = list(struct.unpack_from(f"<{rows}{FIXED[code]}", block, data))
        else:
            ends = struct.unpack_from(f"<{rows + 1}I", block, data)
            values = [block[heap + start : heap + end] for start, end in zip(ends, ends[1:])]
            if code == CODES["string"]:
                values = [value.decode() for value in values]
        if optional:
            values = [v if block[validity + i // 8] >> i % 8 & 1 else None for i, v in enumerate(values)]
        result.append(values)
    return times, result


def encode(schema: str, times: list[int], columns: list[list]) -> bytes:
    """A block of the given columns; the schema id is not stated."""
    fields = [field.rsplit(":", 1)[1] for field in schema.split(",")]
    rows = len(times)
    table, parts = b"", struct.pack(f"<{rows}q", *times)
    base = HEADER + ENTRY * len(fields)
    for field, values in zip(fields, columns):
        code, optional, validity, heap = CODES[field.rstrip("?")], field.endswith("?"), 0, 0
        if optional:
            validity = base + len(parts)
            bits = bytearray((rows + 7) // 8)
            for i, value in enumerate(values):
                bits[i // 8] |= (value is not None) << i % 8
            parts += pad8(bytes(bits))
        data = base + len(parts)
        if code in FIXED:
            parts += pad8(struct.pack(f"<{rows}{FIXED[code]}", *(0 if v is None else v for v in values)))
        else:
            texts = [(v or "").encode() if code == CODES["string"] else (v or b"") for v in values]
            ends = [0]
            for text in texts:
                ends.append(ends[-1] + len(text))
            parts += pad8(struct.pack(f"<{rows + 1}I", *ends))
            heap = base + len(parts)
            parts += pad8(b"".join(texts))
        table += struct.pack("<BBHIII", code, optional, 0, validity, data, heap)
    head = b"TBLK" + struct.pack("<HHIIQQ", 1, len(fields), rows, base + len(parts), 0, 0)
    return head + table + parts


def nothing(failures: list[Failure] | None = None) -> Outcome:
    return Outcome(timers=[], cleared=[], unchanged=[], failures=failures or [])


class Instance:
    """What lives as long as the instance. Operators cannot hold it: a new one is made for every call."""

    offset = 0.0
    chains: dict[int, list[int]] = {}
    accumulators: dict[int, tuple[float, int]] = {}


def explained(call):
    """Tells the host about an exception before it becomes a trap without a text."""

    @functools.wraps(call)
    def wrapper(*args):
        try:
            return call(*args)
        except Err:
            raise
        except BaseException as error:
            host.report_failure(AVERAGE, NO_ROW, f"{type(error).__name__}: {error}")
            raise

    return wrapper


class Operators(exports.Operators):
    """What the host calls."""

    def plan(self, args: list[Argument]) -> str:
        for arg in args:
            if arg.name != "offset":
                raise Err("the only argument is offset, in degrees")
            try:
                Instance.offset = float(arg.value)
            except ValueError:
                raise Err("offset is not a number")
        return json.dumps(PLAN, separators=(",", ":"))

    def link(self, chain: int, members: list[int]) -> None:
        Instance.chains[chain] = members

    @explained
    def process(self, chain, input, watermark, now, block, rows, slots) -> Outcome:
        times, columns = decode(block)
        if Instance.chains[chain][0] != AVERAGE:
            return pass_on(chain, 0, times, columns)
        for row, slot in zip(rows or range(len(times)), slots):
            total, n = Instance.accumulators.get(slot, (0.0, 0))
            Instance.accumulators[slot] = (total + columns[1][row], n + 1)
        return nothing()

    def on_timer(self, chain, watermark, now, block, slots) -> Outcome:
        raise AssertionError("the plan declares no timers")

    @explained
    def fire(self, chain, watermark, now, block, offsets, slots) -> Outcome:
        times, (sensors, _, until, _) = decode(block)
        celsius = []
        for start, end in zip(offsets, offsets[1:]):
            total, n = 0.0, 0
            for slot in slots[start:end]:  # not sum(): it compensates rounding, which no other language does
                more, m = Instance.accumulators[slot]
                total, n = total + more, n + m
            celsius.append(total / n)
        return pass_on(chain, 1, times, [sensors, celsius, until])

    @explained
    def merge(self, operator, targets, sources) -> None:
        for target, source in zip(targets, sources):
            total, n = Instance.accumulators.pop(source, (0.0, 0))
            into, m = Instance.accumulators.get(target, (0.0, 0))
            Instance.accumulators[target] = (into + total, m + n)

    @explained
    def export_state(self, operator, slots) -> bytes:
        cells = [Instance.accumulators.get(slot, (None, None)) for slot in slots]
        return encode(STATE, [0] * len(slots), [[total for total, _ in cells], [n for _, n in cells]])

    @explained
    def import_state(self, operator, slots, block) -> None:
        _, (totals, counts) = decode(block)
        for slot, total, n in zip(slots, totals, counts):
            if n is not None:
                Instance.accumulators[slot] = (total, n)
        host.log(LogLevel.DEBUG, operator, "state imported")

    @explained
    def drop_state(self, operator, slots) -> None:
        for slot in slots:
            Instance.accumulators.pop(slot, None)


def pass_on(chain: int, first: int, times: list[int], columns: list[list]) -> Outcome:
    """Runs the stateless members from `first` on and emits what the last one leaves."""
    members, failures = Instance.chains[chain], []
    rows = [(i, time, *cells) for i, (time, *cells) in enumerate(zip(times, *columns))]
    for member in members[first:]:
        kept = []
        for row, time, sensor, celsius, at in rows:
            if member == PLAUSIBLE and celsius < -100:
                continue
            if member == CALIBRATED:
                celsius += Instance.offset
                if celsius > 1000:
                    failures.append(Failure(row, member, "hotter than the sensor can bear"))
                    continue
            kept.append((row, time, sensor, celsius, at))
        rows = kept
    if rows:
        _, times, *columns = zip(*rows)
        host.emit(members[-1], 0, encode(READING, times, columns))
    return nothing(failures)
