//! An attribute that there is none of.

use tidemill::prelude::*;

#[derive(Record)]
struct Reading {
    #[record(name = "Sensor")]
    sensor: String,
}

fn main() {}
