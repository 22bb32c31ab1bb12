//! `stdout:`: standard output, written by one worker.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use tidemill_core::block::Block;
use tidemill_core::connect::{Error, Sink, Writer};

use crate::encode::Encoder;
use crate::url::Url;

/// Bytes gathered before a write of their own; what is less waits for the flush at the end of the activation.
const BUFFER_BYTES: usize = 64 << 10;

struct Stdout {
    encoder: Encoder,
    header: bool,
}

pub(crate) fn open_sink(url: &Url, encoder: Encoder) -> Result<Arc<dyn Sink>, Error> {
    url.check_options(&["format", "header"])?;
    if !url.rest.is_empty() {
        return Err(url.wrong("nothing belongs behind stdout:"));
    }
    Ok(Arc::new(Stdout { encoder, header: url.flag("header")? }))
}

impl Sink for Stdout {
    fn writer(&self, _worker: usize, _peers: usize) -> Result<Box<dyn Writer>, Error> {
        // The library's handle would write every line by itself.
        let handle = io::stdout().as_fd().try_clone_to_owned().map_err(|e| Error::Io(format!("standard output: {e}")))?;
        Ok(Box::new(Lines::new(File::from(handle), self.encoder.clone(), self.header)))
    }

    fn parallelism_max(&self) -> Option<usize> {
        Some(1)
    }
}

struct Lines<W> {
    out: W,
    encoder: Encoder,
    buffer: Vec<u8>,
}

impl<W: Write> Lines<W> {
    fn new(out: W, encoder: Encoder, header: bool) -> Lines<W> {
        let mut buffer = Vec::new();
        if header {
            encoder.header(&mut buffer);
        }
        Lines { out, encoder, buffer }
    }
}

impl<W: Write> Writer for Lines<W> {
    fn write(&mut self, block: &Block) -> Result<(), Error> {
        self.encoder.rows(block, &mut self.buffer);
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        let written = self.out.write_all(&self.buffer);
        self.buffer.clear();
        written.and_then(|()| self.out.flush()).map_err(|e| match e.kind() {
            io::ErrorKind::BrokenPipe => Error::Closed,
            _ => Error::Io(format!("writing to standard output failed: {e}")),
        })
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.flush()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tidemill_core::block::Builder;
    use tidemill_core::plan::Format;
    use tidemill_core::schema::Schema;

    fn writer<W: Write>(out: W) -> (Lines<W>, Block) {
        let schema: Schema = "n:i64".parse().unwrap();
        let mut builder = Builder::new(&schema);
        builder.column(0).push_i64(5);
        builder.push_time(0);
        (Lines::new(out, Encoder::new(&schema, Format::Csv), true), builder.finish().unwrap())
    }

    #[test]
    fn lines_appear_at_the_flush() {
        let mut out = Vec::new();
        let (mut lines, block) = writer(&mut out);
        lines.write(&block).unwrap();
        assert!(lines.out.is_empty());
        lines.flush().unwrap();
        assert_eq!(out, b"n\n5\n");
    }

    #[test]
    fn a_reader_that_left_is_told_apart_from_a_fault() {
        struct Gone(io::ErrorKind);
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let result = |kind| {
            let (mut lines, block) = writer(Gone(kind));
            lines.write(&block).unwrap();
            lines.flush().unwrap_err()
        };
        assert_eq!(result(io::ErrorKind::BrokenPipe), Error::Closed);
        assert!(matches!(result(io::ErrorKind::StorageFull), Error::Io(text) if text.contains("standard output")));
    }
}
