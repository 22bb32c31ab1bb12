"""What ``benches/measure.py languages`` measures: a function over each record, without state and with it."""

from tidemill import Ctx, Job, Process, Value, record


@record
class Reading:
    sensor: str
    celsius: float
    at: int


@record
class Fahrenheit:
    sensor: str
    degrees: float
    at: int


@record
class Count:
    sensor: str
    count: int


class Counter(Process[str, Reading, Count]):
    count: Value[int]

    def on_record(self, ctx: Ctx[str, Count], reading: Reading) -> None:
        count = self.count.get(0) + 1
        self.count.set(count)
        ctx.emit(Count(ctx.key, count))


def fahrenheit(reading: Reading) -> Fahrenheit:
    return Fahrenheit(reading.sensor, reading.celsius * 1.8 + 32.0, reading.at)


def map(job: Job) -> None:
    job.source("rows", Reading).map("work", fahrenheit).sink("out")


def keyed_count(job: Job) -> None:
    job.source("rows", Reading).key_by(Reading.sensor).process("work", Counter()).sink("out")
