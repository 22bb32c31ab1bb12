"""The job's own tests."""

from pathlib import Path

from job import wordcount

from tidemill.testing import JobTest

FOLDER = Path(__file__).parents[1]


def test_every_word_gives_its_count_so_far() -> None:
    test = JobTest(wordcount)
    test.push("lines", "The tide   the")
    assert test.sink_lines("counts") == ["the,1", "tide,1", "the,2"]


def test_a_line_without_words_gives_nothing() -> None:
    test = JobTest(wordcount)
    test.push("lines", " \t ")
    assert test.sink_lines("counts") == []


def test_the_sample_is_counted() -> None:
    test = JobTest(wordcount)
    test.push_lines("lines", (FOLDER / "input.txt").read_text())
    test.finish()
    assert sorted(test.sink_lines("counts")) == (FOLDER / "expected.csv").read_text().splitlines()
