"""Readings of meters in windows of ten seconds, by two rules of the job's own for event time: marks that some readings
bring, and the slowest meter, told by the clock."""

from tidemill import (
    Job,
    Window,
    millis,
    periodic,
    punctuated,
    record,
    seconds,
    tumbling,
)

METERS = 3
"""How many meters there are: none may be missing for the slowest to be known."""


@record
class Reading:
    """What a meter read. Some tell that nothing as old as ``through`` follows; each meter's own come in order, save late ones."""

    meter: str
    units: int
    at: int
    through: int | None


@record
class Sums:
    readings: int
    units: int


@record
class Total:
    by: str
    meter: str
    until: int
    readings: int
    units: int


def mark(reading: Reading, time: int) -> int | None:
    return reading.through


def see(meters: dict[str, int], reading: Reading, time: int) -> dict[str, int]:
    meters[reading.meter] = max(time, meters.get(reading.meter, time))
    return meters


def slowest(meters: dict[str, int], now: int) -> int | None:
    # Another reading of the same millisecond may follow.
    return min(meters.values()) - 1 if len(meters) == METERS else None


def add(sums: Sums, reading: Reading) -> Sums:
    return Sums(sums.readings + 1, sums.units + reading.units)


def merge(sums: Sums, other: Sums) -> Sums:
    return Sums(sums.readings + other.readings, sums.units + other.units)


def by_marks(window: Window[str], sums: Sums) -> Total:
    return Total("marks", window.key, window.end, sums.readings, sums.units)


def by_clock(window: Window[str], sums: Sums) -> Total:
    return Total("clock", window.key, window.end, sums.readings, sums.units)


def case(job: Job) -> None:
    readings = job.source("readings", Reading)

    timed = readings.assign_event_time("marked", lambda reading: reading.at, punctuated(mark))
    tens = timed.key_by(Reading.meter).window(tumbling(seconds(10)))
    marked = tens.fold("by-marks", Sums(0, 0), add, merge, by_marks)
    marked.late().sink("late-by-marks-out")

    slow = periodic(millis(10), dict[str, int], see, slowest)
    timed = readings.assign_event_time("clocked", lambda reading: reading.at, slow)
    tens = timed.key_by(Reading.meter).window(tumbling(seconds(10)))
    clocked = tens.fold("by-clock", Sums(0, 0), add, merge, by_clock)
    clocked.late().sink("late-by-clock-out")

    marked.union("totals", clocked).sink("totals-out")
