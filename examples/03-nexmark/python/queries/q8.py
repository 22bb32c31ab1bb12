"""q8, monitor new users: persons who opened an auction in the ten seconds in which they came, as `id,name,windowStart`."""

from collections.abc import Iterator

from tidemill import Job, Window, record, seconds, tumbling
from tidemill.aggregates import Aggregate

from .events import events


@record
class Person:
    id: int
    name: str


@record
class Auction:
    seller: int


@record
class Sign:
    """That a person came, with their name, or that they opened an auction, without."""

    person: int
    name: str | None


@record
class NewSeller:
    id: int
    name: str
    window_start: int


@record
class Signs:
    """What a window knows of a person."""

    name: str | None
    sells: bool


class Both(Aggregate[Sign, Signs, str | None]):
    """Both signs of a person in a window."""

    def start(self) -> Signs:
        return Signs(None, False)

    def add(self, acc: Signs, sign: Sign) -> Signs:
        return Signs(acc.name or sign.name, acc.sells or sign.name is None)

    def merge(self, acc: Signs, other: Signs) -> Signs:
        return Signs(acc.name or other.name, acc.sells or other.sells)

    def finish(self, acc: Signs) -> str | None:
        return acc.name if acc.sells else None


def came(person: Person) -> Sign:
    return Sign(person.id, person.name)


def sells(auction: Auction) -> Sign:
    return Sign(auction.seller, None)


def new_seller(window: Window[int], name: str | None) -> Iterator[NewSeller]:
    if name is not None:
        yield NewSeller(window.key, name, window.start)


def query(job: Job) -> None:
    source = events(job)
    persons = source.variant("person", Person).map("came", came)
    sellers = source.variant("auction", Auction).map("sells", sells)
    (
        persons.union("signs", sellers)
        .key_by(Sign.person)
        .window(tumbling(seconds(10)))
        .aggregate_flat("new-sellers", Both(), new_seller)
        .sink("results", format="csv", default="stdout:")
    )
