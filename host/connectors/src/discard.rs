//! `discard:`: takes everything and keeps nothing, for measuring what comes before a sink.

use std::sync::Arc;

use tidemill_core::block::Block;
use tidemill_core::connect::{Error, Sink, Writer};

use crate::url::Url;

struct Discard;

pub(crate) fn open_sink(url: &Url) -> Result<Arc<dyn Sink>, Error> {
    url.check_options(&[])?;
    if !url.rest.is_empty() {
        return Err(url.wrong("nothing belongs behind discard:"));
    }
    Ok(Arc::new(Discard))
}

impl Sink for Discard {
    fn writer(&self, _worker: usize, _peers: usize) -> Result<Box<dyn Writer>, Error> {
        Ok(Box::new(Counter { rows: 0 }))
    }
}

/// Counts, so that a debugger or a later metric can see what arrived.
struct Counter {
    rows: u64,
}

impl Writer for Counter {
    fn write(&mut self, block: &Block) -> Result<(), Error> {
        self.rows += block.rows() as u64;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
