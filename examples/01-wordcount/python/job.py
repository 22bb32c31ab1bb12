"""Counts words: a line `word,n` for every word, each time it is seen."""

from collections.abc import Iterator

from tidemill import Job, job, record


@record
class Word:
    word: str


def split(line: str) -> Iterator[Word]:
    for word in line.split():
        yield Word(word.lower())


@job
def wordcount(job: Job) -> None:
    (
        job.source("lines", str, format="text", default="stdin:")
        .flat_map("split", split)
        .key_by(Word.word)
        .count("count")
        .sink("counts", format="csv", default="stdout:")
    )
