"""Queries of the Nexmark benchmark over an auction house: persons open auctions, others bid.

`--arg query=q4` chooses one. Each stands in a module of its own with what it computes; the events are in `events`. A query
declares only the fields that it reads, since the host decodes no others.
"""

from queries import q0, q1, q4, q8

from tidemill import Job, JobError, job

QUERIES = {"q0": q0.query, "q1": q1.query, "q4": q4.query, "q8": q8.query}


@job
def nexmark(job: Job) -> None:
    name = job.arg_or("query", "q4")
    if name not in QUERIES:
        raise JobError(f"unknown query {name!r}: there are {', '.join(QUERIES)}")
    QUERIES[name](job)
