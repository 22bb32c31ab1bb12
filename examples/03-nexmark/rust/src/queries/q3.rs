//! q3, local items: who sells in category 10 from Oregon, Idaho or California, as `name,city,state,auction`.
//!
//! An inner join of persons and auctions over all time: what has come is kept for what may still come.

use tidemill::prelude::*;

use crate::events::{events, lines};

#[derive(Clone, Record)]
struct Person {
    id: i64,
    name: String,
    city: String,
    state: String,
}

#[derive(Record)]
struct Auction {
    id: i64,
    seller: i64,
    category: i64,
}

#[derive(Record)]
struct Item {
    name: String,
    city: String,
    state: String,
    auction: i64,
}

/// The seller, once known; until then the auctions that wait for them.
struct Join {
    seller: Value<Person>,
    waiting: ListState<i64>,
}

impl Join {
    fn new(declare: &mut Declare) -> Join {
        Join { seller: declare.value("seller"), waiting: declare.list("waiting") }
    }
}

fn item(seller: &Person, auction: i64) -> Item {
    Item { name: seller.name.clone(), city: seller.city.clone(), state: seller.state.clone(), auction }
}

impl Process2 for Join {
    type Key = i64;
    type First = Person;
    type Second = Auction;
    type Out = Item;

    fn on_first(&self, ctx: &mut Ctx<i64, Item>, person: Person) -> Result {
        for auction in ctx.state(&self.waiting).take() {
            ctx.emit(item(&person, auction));
        }
        ctx.state(&self.seller).set(person);
        Ok(())
    }

    fn on_second(&self, ctx: &mut Ctx<i64, Item>, auction: Auction) -> Result {
        match ctx.state(&self.seller).get() {
            Some(seller) => ctx.emit(item(&seller, auction.id)),
            None => ctx.state(&self.waiting).push(auction.id),
        }
        Ok(())
    }
}

pub(crate) fn query(job: &mut Job) -> Result {
    let events = events(job);
    let persons =
        events.variant::<Person>("person").filter("local", |person| matches!(person.state.as_str(), "OR" | "ID" | "CA")).key_by(Person::ID);
    let auctions = events.variant::<Auction>("auction").filter("category-10", |auction| auction.category == 10).key_by(Auction::SELLER);
    persons.connect(&auctions).process("join", Join::new).sink("results", lines());
    Ok(())
}
