"""The cases of the language matrix that are not examples; ``--arg case=NAME`` chooses one.

README.md of the folder above says what each computes.
"""

from cases import (
    broadcast,
    errors,
    failures,
    figures,
    joins,
    sessions,
    side_outputs,
    state,
    state_ttl,
    watermarks,
    windows_count,
    windows_day,
    windows_triggers,
)

from tidemill import Job, JobError, job

CASES = {
    "sessions": sessions.case,
    "side-outputs": side_outputs.case,
    "errors": errors.case,
    "state": state.case,
    "joins": joins.case,
    "broadcast": broadcast.case,
    "failures": failures.case,
    "windows-count": windows_count.case,
    "windows-triggers": windows_triggers.case,
    "state-ttl": state_ttl.case,
    "windows-day": windows_day.case,
    "watermarks": watermarks.case,
    "map": figures.map,
    "keyed-count": figures.keyed_count,
}


@job
def matrix(job: Job) -> None:
    name = job.arg("case")
    if name not in CASES:
        raise JobError(f"unknown case {name!r}")
    CASES[name](job)
