//! The life of a server: takes its data directory, listens, and leaves its jobs running when it ends.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

use crate::api::{Guards, Peer, Token, guarded};
use crate::error::tell;
use crate::limits::{CONNECTIONS_MAX, HEAD_BYTES_MAX, HEAD_WAIT, HEADERS_MAX, STOP_WAIT};
use crate::lock;
use crate::operate::Server;
use crate::options::Options;
use crate::view::Stop;

/// The wait after a connection could not be accepted, e.g. for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why a server does not start, in words for whoever starts it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error("cannot use the data directory: {0}")]
    Data(String),
    /// Another server has it.
    #[error("another server (process {0}) has the data directory")]
    Taken(u32),
    /// It would be open to everybody.
    #[error("{0} can be reached from other machines, and there is no token")]
    NoToken(SocketAddr),
    /// The token cannot be used.
    #[error("cannot use the token file: {0}")]
    Token(io::Error),
    /// It cannot listen there.
    #[error("cannot listen at {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// The system refuses what a server needs.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

/// Serves until SIGINT or SIGTERM. `ready` is told the address once requests are answered.
///
/// # Errors
/// Why it has not started.
pub fn serve(options: Options, ready: impl FnOnce(SocketAddr)) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("serve").enable_all().build()?;
    let ended = runtime.block_on(run(options, ready));
    // What still reads or writes for a client that is gone ends with the process.
    runtime.shutdown_background();
    ended
}

async fn run(options: Options, ready: impl FnOnce(SocketAddr)) -> Result<(), StartError> {
    let token = token(&options)?;
    let _held = take(&options)?;
    let listener = TcpListener::bind(options.listen).await.map_err(|e| StartError::Listen(options.listen, e))?;
    let address = listener.local_addr()?;
    let (stop_jobs, options) = (options.stop_jobs, Options { listen: address, ..options });
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let server = Arc::new(Server::open(options)?);
    let app = guarded(Arc::new(Guards::new(Arc::clone(&server), token)));
    ready(address);
    tokio::select! {
        () = accept(listener, app, Wire::default()) => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tokio::select! {
        () = leave(&server, stop_jobs) => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

fn token(options: &Options) -> Result<Option<Token>, StartError> {
    let Some(path) = &options.token_file else {
        return match options.listen.ip().is_loopback() {
            true => Ok(None),
            false => Err(StartError::NoToken(options.listen)),
        };
    };
    let (token, made) = Token::read(path).map_err(StartError::Token)?;
    if made {
        tell(&format!("a new token is in {}", path.display()));
    }
    Ok(Some(token))
}

/// Makes the data directory and locks it; removes what uploads that were cut off have left.
fn take(options: &Options) -> Result<lock::Held, StartError> {
    let places = options.places();
    let data = |e: io::Error| StartError::Data(format!("{}: {e}", options.data_dir.display()));
    places.fits().map_err(|e| StartError::Data(format!("{}: {e}", options.data_dir.display())))?;
    for folder in [vec![options.data_dir.clone()], places.all().to_vec()].concat() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(data)?;
    }
    let path = options.data_dir.join("lock");
    let Some(held) = lock::take(&path).map_err(data)? else {
        return Err(StartError::Taken(lock::holder(&path).ok().flatten().unwrap_or_default()));
    };
    for entry in fs::read_dir(places.incoming()).map_err(data)? {
        fs::remove_file(entry.map_err(data)?.path()).map_err(data)?;
    }
    Ok(held)
}

/// What connections may take.
#[derive(Clone, Copy)]
struct Wire {
    connections: usize,
    head_wait: Duration,
}

impl Default for Wire {
    fn default() -> Wire {
        Wire { connections: CONNECTIONS_MAX, head_wait: HEAD_WAIT }
    }
}

/// Answers connections, each in a task of its own.
async fn accept(listener: TcpListener, app: Router, wire: Wire) {
    let places = Arc::new(Semaphore::new(wire.connections));
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // One too many is closed: to keep it would only move the queue.
                if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                    let app = app.clone();
                    tokio::spawn(async move {
                        answer(stream, peer, app, wire).await;
                        drop(place);
                    });
                }
            }
            Err(error) => {
                tell(&format!("a connection cannot be taken: {error}"));
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn answer(stream: TcpStream, peer: SocketAddr, app: Router, wire: Wire) {
    // Small answers are not held back to be sent together.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(app.layer(Extension(Peer(peer))));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(wire.head_wait).max_buf_size(HEAD_BYTES_MAX).max_headers(HEADERS_MAX);
    // A connection that breaks concerns its other side only.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

/// Jobs go on without their server, unless it was started to end with them.
async fn leave(server: &Arc<Server>, stop_jobs: bool) {
    let live = server.jobs.live();
    if live.is_empty() {
        return;
    }
    if !stop_jobs {
        let jobs: Vec<String> = live.iter().filter_map(|job| Some(format!("{} (process {})", job.name, job.live().pid?))).collect();
        if !jobs.is_empty() {
            tell(&format!("these jobs go on running: {}; a server with the same --data-dir takes them over", jobs.join(", ")));
        }
        return;
    }
    tell(&format!("stopping {} jobs", live.len()));
    for job in &live {
        let asked = server.stop(job, Stop::default(), Duration::ZERO).await;
        if let Err(error) = asked {
            tell(&format!("job {}: {error}", job.name));
        }
    }
    for job in &live {
        if tokio::time::timeout(STOP_WAIT, job.over()).await.is_err() {
            tell(&format!("job {} has not ended", job.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::testing;

    #[test]
    fn beyond_loopback_there_is_a_token() {
        let open = Options { listen: ([0, 0, 0, 0], 0).into(), ..testing::options() };
        assert!(matches!(token(&open), Err(StartError::NoToken(_))));
        assert!(matches!(token(&testing::options()), Ok(None)));
        let folder = tempfile::tempdir().unwrap();
        let with = Options { token_file: Some(folder.path().join("token")), ..open };
        assert!(matches!(token(&with), Ok(Some(_))));
    }

    /// A server of one route, and its address.
    async fn listening(wire: Wire) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(accept(listener, Router::new().route("/", axum::routing::get(|| async { "ok" })), wire));
        address
    }

    /// What comes back for these bytes until the server closes the connection.
    async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // A server that has refused already may not read to the end.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn head(headers: usize, filler: usize) -> Vec<u8> {
        let more: String = (0..headers - 2).map(|n| format!("x-{n}: {}\r\n", "a".repeat(filler))).collect();
        format!("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{more}\r\n").into_bytes()
    }

    #[tokio::test]
    async fn heads_have_limits() {
        let address = listening(Wire::default()).await;
        assert!(exchange(address, &head(HEADERS_MAX, 1)).await.starts_with("HTTP/1.1 200"));
        assert!(exchange(address, &head(HEADERS_MAX + 1, 1)).await.starts_with("HTTP/1.1 431"));
        assert!(exchange(address, &head(10, HEAD_BYTES_MAX / 10)).await.starts_with("HTTP/1.1 200"));
        // It is looked at between two reads, so that a head may be longer by what one read brings.
        assert!(exchange(address, &head(10, HEAD_BYTES_MAX / 2)).await.starts_with("HTTP/1.1 431"));
    }

    #[tokio::test]
    async fn a_head_that_does_not_come_is_not_waited_for() {
        let address = listening(Wire { head_wait: Duration::from_millis(50), ..Wire::default() }).await;
        let begun = std::time::Instant::now();
        exchange(address, b"GET / HT").await;
        exchange(address, b"").await;
        assert!(begun.elapsed() < Duration::from_secs(5));
    }

    #[tokio::test]
    async fn one_connection_too_many_is_closed_and_a_place_comes_free() {
        let address = listening(Wire { connections: 2, ..Wire::default() }).await;
        let kept = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
        // Connections are taken in the order in which they came.
        assert_eq!(exchange(address, &head(2, 0)).await, "");
        drop(kept);
        while exchange(address, &head(2, 0)).await.is_empty() {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn what_uploads_have_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { data_dir: folder.path().join("data"), ..testing::options() };
        drop(take(&options).unwrap());
        fs::write(options.places().incoming().join("upload-1.wasm"), "").unwrap();
        drop(take(&options).unwrap());
        assert_eq!(fs::read_dir(options.places().incoming()).unwrap().count(), 0);
    }
}
