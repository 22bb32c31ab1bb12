//! q8, monitor new users: persons who opened an auction in the ten seconds in which they came, as `id,name,windowStart`.

use tidemill::prelude::*;

use crate::events::{events, lines};

#[derive(Record)]
struct Person {
    id: i64,
    name: String,
}

#[derive(Record)]
struct Auction {
    seller: i64,
}

/// That a person came, with their name, or that they opened an auction, without.
#[derive(Record)]
struct Sign {
    person: i64,
    name: Option<String>,
}

#[derive(Record)]
struct NewSeller {
    id: i64,
    name: String,
    window_start: i64,
}

/// What a window knows of a person.
#[derive(Clone, Default, Record)]
struct Signs {
    name: Option<String>,
    sells: bool,
}

fn add(signs: &mut Signs, name: Option<&String>, sells: bool) {
    signs.sells |= sells;
    if let (None, Some(name)) = (&signs.name, name) {
        signs.name = Some(name.clone());
    }
}

/// Both signs of a person in a window.
struct Both;

impl Aggregate for Both {
    type In = Sign;
    type Acc = Signs;
    type Out = Option<String>;

    fn start(&self) -> Signs {
        Signs::default()
    }

    fn add(&self, signs: &mut Signs, sign: &Sign) {
        add(signs, sign.name.as_ref(), sign.name.is_none());
    }

    fn merge(&self, into: &mut Signs, from: &Signs) {
        add(into, from.name.as_ref(), from.sells);
    }

    fn finish(&self, signs: &Signs) -> Option<String> {
        signs.name.clone().filter(|_| signs.sells)
    }
}

pub(crate) fn query(job: &mut Job) -> Result {
    let events = events(job);
    let came = events.variant::<Person>("person").map("came", |person| Sign { person: person.id, name: Some(person.name) });
    let sells = events.variant::<Auction>("auction").map("sells", |auction| Sign { person: auction.seller, name: None });
    came.union("signs", [&sells])
        .key_by(Sign::PERSON)
        .window(tumbling(seconds(10)))
        .aggregate_flat("new-sellers", Both, |window, name, out| {
            if let Some(name) = name {
                out.emit(NewSeller { id: window.key(), name, window_start: window.start() });
            }
        })
        .sink("results", lines());
    Ok(())
}
