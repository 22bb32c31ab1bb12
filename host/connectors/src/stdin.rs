//! `stdin:`: standard input, until it ends.

use std::io;
use std::sync::Arc;

use tidemill_core::connect::{Error, Source};
use tidemill_core::plan::Format;

use crate::decode::Layout;
use crate::pipe::{Input, PipeSource};
use crate::url::Url;

pub(crate) fn open_source(url: &Url, layout: Arc<Layout>, format: Format) -> Result<Arc<dyn Source>, Error> {
    if !url.rest.is_empty() {
        return Err(url.wrong("nothing belongs behind stdin:"));
    }
    // A redirected file has an end that is known to come; a terminal or pipe may stay silent for ever.
    let bounded = std::fs::metadata("/dev/stdin").is_ok_and(|meta| meta.is_file());
    let input = Input { read: Box::new(io::stdin()), stop: None };
    Ok(Arc::new(PipeSource::new("stdin".to_owned(), layout, format, bounded, input)))
}
