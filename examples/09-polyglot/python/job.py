"""Lines of two kinds of thermometers become readings; what cannot be read is kept apart."""

from datetime import UTC, datetime

from tidemill import Job, Refusal, job, out_of_order, record, seconds


@record
class Reading:
    sensor: str
    celsius: float
    at: int


def parse(line: str) -> Reading:
    """Reads `2026-03-01T12:00:05 cellar 21.4C`; old thermometers send Fahrenheit."""
    try:
        when, sensor, value = line.split()
        at = datetime.fromisoformat(when).replace(tzinfo=UTC)
        degrees = float(value[:-1])
    except ValueError as error:
        raise Refusal(f"no reading: {error}") from error
    match value[-1]:
        case "C":
            celsius = degrees
        case "F":
            celsius = round((degrees - 32) / 1.8, 2)
        case unit:
            raise Refusal(f"{unit!r} is no unit of temperature")
    return Reading(sensor, celsius, round(at.timestamp() * 1000))


@job
def parse_lines(job: Job) -> None:
    readings = job.source("lines", str, format="text", default="stdin:").map("parse", parse)
    readings.dead_letters().sink("rejected")
    readings.assign_event_time("time", lambda reading: reading.at, out_of_order(seconds(2))).sink("readings", default="stdout:")
