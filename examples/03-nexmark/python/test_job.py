"""The queries over the sample, against what an independent batch program made of it."""

from pathlib import Path

import pytest
from job import QUERIES, nexmark

from tidemill import JobError
from tidemill.testing import JobTest

FOLDER = Path(__file__).parents[1]


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_gives_what_the_folder_says(query: str) -> None:
    """Half way the job is restarted from its state."""
    test = JobTest(nexmark, {"query": query})
    lines = (FOLDER / "input.json").read_text().splitlines()
    half = len(lines) // 2
    test.push_lines("events", "\n".join(lines[:half]))
    test.restart()
    test.push_lines("events", "\n".join(lines[half:]))
    test.finish()
    assert sorted(test.sink_lines("results")) == (FOLDER / "expected" / f"{query}.txt").read_text().splitlines()


def test_an_unknown_query_is_named_with_those_that_are_there() -> None:
    with pytest.raises(JobError, match="unknown query 'q6': there are q0, q1, q4, q8"):
        JobTest(nexmark, {"query": "q6"})
