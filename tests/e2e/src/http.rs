//! Requests to a server byte by byte: what no client that means well would send.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::Server;

/// How long a server may take over a request before the test calls it stuck: longer than any of its own limits that tests wait for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of an answer at most.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// A request under way.
pub struct Exchange(TcpStream);

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// 0 where the connection was closed without an answer.
    pub status: u16,
    /// What the body is, by its head; empty where nothing is said.
    pub media_type: String,
    /// Everything behind the head.
    pub body: String,
}

impl Server<'_> {
    /// Begins a request: its first line, and further lines of its head.
    ///
    /// # Panics
    /// When the server does not listen.
    pub fn request(&self, line: &str, head: &[&str]) -> Exchange {
        let address = self.url().trim_start_matches("http://").trim_end_matches('/').to_owned();
        let stream = TcpStream::connect(&address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time that is not zero");
        let mut exchange = Exchange(stream);
        let lines: String = head.iter().map(|line| format!("{line}\r\n")).collect();
        exchange.send(format!("{line} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{lines}\r\n").as_bytes());
        exchange
    }
}

impl Server<'_> {
    /// A whole request with a body of JSON, or none.
    ///
    /// # Panics
    /// When the server does not listen.
    pub fn ask(&self, line: &str, body: &str) -> Answer {
        let length = format!("content-length: {}", body.len());
        let mut exchange = self.request(line, &["content-type: application/json", &length]);
        exchange.send(body.as_bytes());
        exchange.answer()
    }
}

impl Exchange {
    /// Sends more; whether the server still takes it.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    /// Waits for the answer.
    pub fn answer(mut self) -> Answer {
        let mut bytes = Vec::new();
        // A server that closes while it is written to may reset the connection: what came before counts.
        let _ = (&mut self.0).take(ANSWER_BYTES_MAX).read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
        let media_type = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default().to_owned();
        Answer { status, media_type, body: body.to_owned() }
    }
}
