//! Asks a runner over its control socket.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::control::{self, LINE_BYTES_MAX, Reply, Request};

/// Puts one request and waits for its answer.
pub(crate) async fn ask(socket: &Path, request: &Request, wait: Duration) -> io::Result<Reply> {
    let asked = async {
        let mut stream = UnixStream::connect(socket).await?;
        let mut line = Vec::new();
        control::write_line(&mut line, request)?;
        stream.write_all(&line).await?;
        let mut answer = Vec::new();
        BufReader::new(stream.take(LINE_BYTES_MAX)).read_until(b'\n', &mut answer).await?;
        control::parse(&answer)
    };
    timeout(wait, asked).await.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "it has not answered in time")))
}

/// Whether nobody listens there yet, or nobody any more.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_runner_that_does_not_answer_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let absent = ask(&path, &Request::Status, Duration::from_secs(5)).await.unwrap_err();
        assert!(is_absent(&absent));
        let _listener = tokio::net::UnixListener::bind(&path).unwrap();
        let silent = ask(&path, &Request::Status, Duration::from_millis(20)).await.unwrap_err();
        assert_eq!(silent.kind(), io::ErrorKind::TimedOut);
    }
}
