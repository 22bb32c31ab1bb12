//! `socket://HOST:PORT`: connects and reads lines until the other side closes.

use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use tidemill_core::connect::{Error, Source};
use tidemill_core::plan::Format;

use crate::decode::Layout;
use crate::pipe::{Input, PipeSource};
use crate::url::Url;

/// How long one address may take to answer: a host that drops packets must not hold the start of a job for minutes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) fn open_source(url: &Url, layout: Arc<Layout>, format: Format) -> Result<Arc<dyn Source>, Error> {
    let address = url.rest.strip_prefix("//").unwrap_or(&url.rest).trim_end_matches('/');
    let port = address.rsplit_once(':').map_or("", |(_, port)| port);
    if port.parse::<u16>().is_err() {
        return Err(url.wrong("host and port belong behind the slashes, such as socket://localhost:9000"));
    }
    let stream = connect(address)
        .map_err(|e| Error::Binding(format!("cannot connect to {address}: {e}; is something listening? try nc -lk {port}")))?;
    let other = stream.try_clone().map_err(|e| Error::Io(format!("socket {address}: {e}")))?;
    let stop = Box::new(move || {
        // Fails only when the other side was faster, and then nothing waits any more.
        let _ = other.shutdown(Shutdown::Both);
    });
    let input = Input { read: Box::new(stream), stop: Some(stop) };
    Ok(Arc::new(PipeSource::new(format!("socket {address}"), layout, format, false, input)))
}

/// Tries all addresses of the host.
fn connect(address: &str) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the host has no address");
    for candidate in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&candidate, CONNECT_TIMEOUT) {
            Ok(stream) => return Ok(stream),
            Err(e) => last = e,
        }
    }
    Err(last)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::testing;
    use tidemill_core::connect::{Polled, Reader};

    fn connected(format: &str, schema: &str) -> (TcpStream, Box<dyn Reader>, Receiver<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("socket://{}", listener.local_addr().unwrap());
        let source = crate::open_source(&url, &testing::source(schema, format, "", "fail")).unwrap();
        assert_eq!((source.parallelism_max(), source.bounded()), (Some(1), false));
        let (other, _) = listener.accept().unwrap();
        let (send, woken) = channel();
        let send = std::sync::Mutex::new(send);
        let waker = Arc::new(move || {
            // The test may be over before the thread is.
            let _ = send.lock().unwrap().send(());
        });
        (other, source.reader(0, 1, waker).unwrap(), woken)
    }

    /// Polls until something comes; between polls it waits for the waker alone, so a forgotten wake-up hangs the test.
    fn next(reader: &mut dyn Reader, woken: &Receiver<()>) -> Option<Vec<String>> {
        loop {
            match reader.poll(100).unwrap() {
                Polled::Batch(batch) => return Some(testing::all_lines(&[batch])),
                Polled::Pending => woken.recv().unwrap(),
                Polled::Ended => return None,
            }
        }
    }

    #[test]
    fn a_line_is_there_as_soon_as_it_is_whole() {
        let (mut other, mut reader, woken) = connected("text", "line:string");
        other.write_all(b"one two\nthr").unwrap();
        assert_eq!(next(&mut *reader, &woken).unwrap(), ["one two"]);
        assert!(matches!(reader.poll(100), Ok(Polled::Pending)));
        other.write_all(b"ee\n").unwrap();
        assert_eq!(next(&mut *reader, &woken).unwrap(), ["three"]);
        other.write_all(b"no line end").unwrap();
        drop(other);
        assert_eq!(next(&mut *reader, &woken).unwrap(), ["no line end"]);
        assert_eq!(next(&mut *reader, &woken), None);
        assert!(reader.splits()[0].ended);
    }

    #[test]
    fn csv_comes_over_a_socket_too() {
        let (mut other, mut reader, woken) = connected("csv", "b:i64,a:string");
        other.write_all(b"a,b\nx,1\n\"y\n").unwrap();
        let mut rows = Vec::new();
        while rows.is_empty() {
            rows = next(&mut *reader, &woken).unwrap();
        }
        assert_eq!(rows, ["1|x"]);
        other.write_all(b"z\",2").unwrap();
        drop(other);
        let mut rows = Vec::new();
        while let Some(more) = next(&mut *reader, &woken) {
            rows.extend(more);
        }
        assert_eq!(rows, ["2|y\nz"]);
    }

    #[test]
    fn nobody_listening_is_told_with_advice() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let open = |url: &str| crate::open_source(url, &testing::source("s:string", "text", "", "fail")).err().unwrap().to_string();
        let text = open(&format!("socket://127.0.0.1:{port}"));
        assert!(text.contains(&format!("127.0.0.1:{port}")) && text.contains(&format!("try nc -lk {port}")), "{text}");
        assert!(open("socket://localhost").contains("socket://localhost:9000"));
    }
}
