"""Records: what a class becomes, and what it cannot be."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Annotated, Any, Optional

import pytest

from tidemill import (
    I32,
    DeadLetter,
    Json,
    KeyCount,
    KeyValue,
    Name,
    WindowCount,
    WindowRecord,
    WindowValue,
    record,
    replace,
)
from tidemill.record.declare import field_of
from tidemill.record.spec import Misfit, spec_of


@record
class Point:
    """A point."""

    x: int
    y: float = 0.5

    def moved(self, by: int) -> Point:
        return replace(self, x=self.x + by)

    @property
    def sum(self) -> float:
        return self.x + self.y


@record
class Pixel:
    x: int
    y: float = 0.5


def test_a_record_is_an_immutable_value_with_its_methods() -> None:
    point = Point(1)
    assert (point.x, point.y, point.sum) == (1, 0.5, 1.5)
    assert point.moved(2) == Point(3, 0.5) == Point(y=0.5, x=3)
    assert repr(point) == "Point(x=1, y=0.5)"
    assert Point.__doc__ == "A point."
    assert len({point, Point(1), Point(2)}) == 2
    assert copy.deepcopy(point) == point
    with pytest.raises(AttributeError):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(TypeError):
        Point()  # type: ignore[call-arg]
    match point:
        case Point(x, y):
            assert (x, y) == (1, 0.5)
        case _:
            pytest.fail("a record matches by position")


def test_records_of_two_types_are_not_equal_whatever_they_hold() -> None:
    assert Point(1) != Pixel(1) and Point(1) != (1, 0.5)
    assert {Point(1): "point"}.get(Pixel(1)) is None  # type: ignore[call-overload]


def test_the_class_names_its_fields() -> None:
    assert str(field_of(Point.x)) == "Point.x"
    assert field_of(Point.sum) is None and field_of("x") is None and field_of([]) is None


@record(rename="camelCase")
class Named:
    date_time: int
    px: Annotated[float, Name("the-price")]
    id: I32


def test_columns_take_their_names_from_fields_cases_and_annotations() -> None:
    assert str(spec_of(Named).schema) == "dateTime:i64,the-price:f64,id:i32"
    cases = {"PascalCase": "DateTime", "kebab-case": "date-time", "SCREAMING_SNAKE_CASE": "DATE_TIME"}
    for case, name in cases.items():

        class Cased:
            date_time: int

        made = record(rename=case)(Cased)  # type: ignore[call-overload]
        assert spec_of(made).columns[0].name == name


@pytest.mark.parametrize(
    ("python", "schema"),
    [
        (bool, "value:bool"),
        (I32, "value:i32"),
        (int, "value:i64"),
        (float, "value:f64"),
        (str, "value:string"),
        (bytes, "value:bytes"),
        (int | None, "value:i64?"),
        (Optional[str], "value:string?"),  # noqa: UP045
        (I32 | None, "value:i32?"),
        (Json[dict[str, int]], "json:bytes"),
        (list[Point], "block:bytes"),
        (tuple[float, int], "f0:f64,f1:i64"),
        (tuple[()], ""),
        (None, ""),
        (tuple[str, list[int]], "f0:string,f1:bytes"),
        (KeyCount[str], "key:string,count:i64"),
        (KeyCount[tuple[str, int]], "f0:string,f1:i64,count:i64"),
        (KeyValue[str, float], "key:string,value:f64"),
        (WindowCount[I32], "key:i32,start:i64,end:i64,count:i64"),
        (WindowValue[tuple[()], int], "start:i64,end:i64,value:i64"),
        (WindowRecord[Point], "start:i64,end:i64,x:i64,y:f64"),
        (DeadLetter, "operator:string,place:string,reason:string,record:string"),
    ],
    ids=str,
)
def test_what_is_a_record_and_its_columns(python: Any, schema: str) -> None:
    assert str(spec_of(python).schema) == schema


def based() -> Any:
    @record
    class Based(Point):
        z: int


def empty() -> Any:
    @record
    class Empty:
        pass


def gap() -> Any:
    @record
    class Gap:
        a: int = 1
        b: int


def private() -> Any:
    @record
    class Private:
        _a: int


def unknown() -> Any:
    @record
    class Unknown:
        a: Nowhere  # type: ignore[name-defined] # noqa: F821


def twice() -> Any:
    @record
    class Twice:
        a: int
        b: Annotated[int, Name("a")]


def odd_name() -> Any:
    @record
    class Odd:
        a: Annotated[int, Name("a b")]


def nested() -> Any:
    @record
    class Nested:
        a: Point


def odd_case() -> Any:
    @record(rename="snake")  # type: ignore[call-overload]
    class Odd:
        a: int


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (based, "has a base class: a record stands alone"),
        (empty, "has no field: annotate at least one"),
        (gap, "a field without a default stands behind 'a', which has one"),
        (private, "Field names cannot start with an underscore"),
        (unknown, "name 'Nowhere' is not defined"),
        (twice, "two fields have the column name 'a'"),
        (odd_name, "may only hold letters, digits"),
        (nested, "`Point` cannot be a field of record nested.<locals>.Nested: fields are bool, int (64 bits), I32"),
        (odd_case, "rename is camelCase, PascalCase, kebab-case or SCREAMING_SNAKE_CASE, not 'snake'"),
        (lambda: spec_of(dict), "`dict` is not a record: put @record on the class"),
        (lambda: spec_of(int | str), "`int | str` is not a record"),
        (lambda: spec_of(tuple[(int,) * 9]), "a tuple has up to 8 fields"),
        (lambda: spec_of(tuple[int, ...]), "a tuple has up to 8 fields"),
        (lambda: spec_of(list[dict[str, int]]), "is not a record"),
    ],
)
def test_what_is_no_record_is_refused_in_words(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(Misfit) as refusal:
        make()
    assert said in str(refusal.value)
