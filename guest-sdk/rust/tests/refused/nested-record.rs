//! A record inside a record.

use tidemill::prelude::*;

#[derive(Record)]
struct Place {
    x: f64,
    y: f64,
}

#[derive(Record)]
struct Reading {
    place: Place,
}

fn main() {}
