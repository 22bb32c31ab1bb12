"""Rides by calendar days and weeks of a time zone, over the nights in which its clocks are changed."""

from typing import Annotated

from tidemill import Job, Name, Window, calendar_days, hours, out_of_order, record

HOUR_MS = 3_600_000


@record
class Ride:
    line: str
    metres: int
    at: int


@record
class Sums:
    rides: int
    metres: int


@record
class Week:
    line: str
    begin: Annotated[int, Name("from")]
    hours: int
    rides: int
    metres: int


def add(sums: Sums, ride: Ride) -> Sums:
    return Sums(sums.rides + 1, sums.metres + ride.metres)


def merge(sums: Sums, other: Sums) -> Sums:
    return Sums(sums.rides + other.rides, sums.metres + other.metres)


def week(window: Window[str], sums: Sums) -> Week:
    return Week(window.key, window.start, (window.end - window.start) // HOUR_MS, sums.rides, sums.metres)


def case(job: Job) -> None:
    rides = job.source("rides", Ride).event_time(Ride.at, out_of_order(hours(2))).key_by(Ride.line)
    days = calendar_days("Europe/Berlin")
    rides.window(days).count("daily").sink("days-out")
    rides.window(days.every(7)).fold("weekly", Sums(0, 0), add, merge, week).sink("weeks-out")
