"""A job that does what `--arg what=` says to a number: for tests of what a component finds in place of a system."""

import datetime
import logging
import random
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator

from tidemill import (
    Ctx,
    Job,
    MapState,
    Process,
    Refusal,
    Value,
    Window,
    evictors,
    job,
    log,
    monotonic,
    record,
    seconds,
    session,
    triggers,
    tumbling,
)

print("printed while the module was imported")
STARTED = time.time()


@record
class Number:
    n: int
    at: int


@record
class Padded:
    """A number with a text that fills memory: what the host hands over stays in a Python instance."""

    n: int
    at: int
    ballast: str


def convert(number: Number) -> str:
    return str(100 // number.n)


def fail(number: Number) -> str:
    try:
        return convert(number)
    except ZeroDivisionError as error:
        raise LookupError(f"no value for {number.n}") from error


def refuse(number: Number) -> str:
    if number.n == 0:
        raise Refusal("nothing is no number")
    return str(number.n)


def speak(number: Number) -> str:
    print("out", number.n)
    print("no end", end="")
    sys.stderr.write("err\n")
    log.info("log")
    logging.getLogger("probe").warning("logging %d", number.n)
    warnings.warn("warned", stacklevel=1)
    try:
        convert(number)
    except ZeroDivisionError:
        traceback.print_exc()
        logging.exception("caught")
    return "spoken"


def clock(number: Number) -> str:
    now = datetime.datetime.now(datetime.UTC)
    same = abs(now.timestamp() - time.time()) < 1 and now.date() == datetime.date.today()
    recent = time.time() >= 0 and time.monotonic_ns() >= 0 and isinstance(now, datetime.datetime)
    return f"{same} {recent} {datetime.date(2020, 1, 2)} {random.random() < 1}"


def reach(action: Callable[[], object]) -> Callable[[Number], str]:
    def f(number: Number) -> str:
        try:
            return f"gave {action()}"
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    return f


def late_import() -> object:
    import decimal

    return decimal.Decimal(1)


def wrong_record(number: Number) -> str:
    return number.n  # type: ignore[return-value]


class Growing(Process[int, Padded, str]):
    """Keeps as much as it is given and tells how much that is: its state outlives many instances."""

    count: Value[int]
    last: MapState[int, str]

    def on_record(self, ctx: Ctx[int, str], number: Padded) -> None:
        self.count.set(self.count.get(0) + 1)
        self.last[number.n % 7] = f"{number.at}"
        ctx.emit(f"{ctx.key} {self.count.get()} {','.join(self.last.values())}")


def sums(window: Window[int], numbers: list[Padded]) -> Iterator[str]:
    yield f"{window.key} {window.end} {sum(number.n for number in numbers)}"


class Enough(triggers.TriggerFunction[Number, int]):
    """Fires when the numbers of a window come to ten, and for the last time a second behind its last record."""

    def start(self) -> int:
        return 0

    def on_record(self, window: triggers.TriggerWindow[int], number: Number) -> triggers.Action:
        window.state += number.n
        window.at_event_time(number.at + 1_000)
        if window.state < 10:
            return triggers.Action.CONTINUE
        window.state = 0
        return triggers.Action.FIRE

    def on_event_time(self, window: triggers.TriggerWindow[int]) -> triggers.Action:
        return triggers.Action.FIRE_AND_PURGE

    def merge(self, state: int, other: int) -> int:
        return state + other


def listed(window: Window[int], numbers: list[Number]) -> Iterator[str]:
    yield f"{window.key} {window.firing}: {' '.join(str(number.n) for number in numbers)}"


ACTIONS: dict[str, Callable[[Number], str]] = {
    "convert": convert,
    "fail": fail,
    "refuse": refuse,
    "speak": speak,
    "clock": clock,
    "wrong-record": wrong_record,
    "import": reach(late_import),
    "open": reach(lambda: open("job.py")),
    "sleep": reach(lambda: time.sleep(1)),
    "exit": reach(lambda: sys.exit(3)),
    "input": reach(lambda: input()),
}


@job
def probe(job: Job) -> None:
    what = job.arg("what")
    policy = job.arg_or("policy", "fail")
    numbers = job.source("numbers", Number).event_time(Number.at, monotonic())
    if what == "plan-fails":
        raise KeyError(what)
    if what == "state":
        text = "x" * job.arg_or("ballast", 0)
        padded = numbers.map("pad", lambda number: Padded(number.n, number.at, text), out=Padded)
        keyed = padded.key_by_fn("key", lambda number: number.n % 50, out=int)
        keyed.process("growing", Growing()).sink("results", format="text")
        keyed.window(tumbling(seconds(1))).process("sum", sums).sink("sums", format="text")
        return
    if what == "windows":
        windows = numbers.key_by_fn("key", lambda number: number.n % 2, out=int).window(session(seconds(60)))
        odd_ones = evictors.by(lambda times, numbers: [at for at, number in enumerate(numbers) if number.n == 1])
        windows.trigger_function(Enough()).evictor(odd_ones).process("list", listed).sink("results", format="text")
        return
    mapped = numbers.map("act", ACTIONS[what], out=str)
    if policy == "skip":
        mapped.on_error("skip")
    elif policy == "dead-letter":
        mapped.dead_letters().sink("dead", default="stdout:")
    mapped.sink("results", format="text", default="stdout:")
