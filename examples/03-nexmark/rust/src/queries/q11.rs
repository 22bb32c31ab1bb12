//! q11, user sessions: how often a bidder bid without a pause of more than ten seconds, as `bidder,count,start,end`.

use tidemill::prelude::*;

use crate::events::{bids, lines};

#[derive(Record)]
struct Bid {
    bidder: i64,
}

#[derive(Record)]
struct Session {
    bidder: i64,
    count: i64,
    start: i64,
    end: i64,
}

pub(crate) fn query(job: &mut Job) -> Result {
    bids::<Bid>(job)
        .key_by(Bid::BIDDER)
        .window(session(seconds(10)))
        .count("sessions")
        .map("lines", |s| Session { bidder: s.key, count: s.count, start: s.start, end: s.end })
        .sink("results", lines());
    Ok(())
}
