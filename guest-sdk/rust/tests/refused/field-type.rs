//! A field whose type no column has.

use tidemill::prelude::*;

#[derive(Record)]
struct Reading {
    sensor: u32,
}

fn main() {}
