"""The source that all queries read.

Every line is one JSON object; its field `type` says whether it is a person, an auction or a bid. Events come up to four
seconds late.
"""

from tidemill import Job, TaggedSource, out_of_order, seconds

LATENESS = seconds(4)


def events(job: Job) -> TaggedSource:
    """The source of events."""
    source = job.tagged_source("events", tag="type", default="stdin:")
    return source.event_time_field("dateTime", out_of_order(LATENESS))
