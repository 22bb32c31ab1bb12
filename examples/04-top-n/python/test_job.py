"""The job's own tests."""

from pathlib import Path

from job import Sale, top_products

from tidemill.testing import JobTest

FOLDER = Path(__file__).parents[1]


def test_a_tie_is_broken_by_name_and_the_fourth_is_left_out() -> None:
    test = JobTest(top_products)
    for product, amount in (("tea", 5), ("milk", 7), ("bread", 5), ("eggs", 1)):
        test.push("sales", Sale(product, amount, 1_000))
    test.finish()
    assert test.sink_lines("top") == ["60000,1,milk,7", "60000,2,bread,5", "60000,3,tea,5"]


def test_the_sample_gives_what_it_says() -> None:
    test = JobTest(top_products)
    test.push_lines("sales", (FOLDER / "input.jsonl").read_text())
    test.finish()
    assert sorted(test.sink_lines("top")) == sorted((FOLDER / "expected.csv").read_text().splitlines())
