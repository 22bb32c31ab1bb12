"""The average temperature of every sensor in windows of ten seconds."""

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
