//! A record that is an enum.

use tidemill::prelude::*;

#[derive(Record)]
enum Event {
    Bid,
}

fn main() {}
