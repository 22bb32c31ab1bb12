//! The job beside: words typed into a socket come out counted, and how long each took is kept.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tidemill_e2e::{Folder, Tidemill, guest};

/// Between two words, so that the job rests as often as it works.
const PAUSE: Duration = Duration::from_millis(5);

/// A job that somebody else uses.
pub(crate) struct Beside {
    took: Arc<Mutex<Vec<Duration>>>,
    over: Arc<AtomicBool>,
    typing: Option<JoinHandle<()>>,
}

/// How long words took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    pub(crate) words: usize,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

impl Beside {
    pub(crate) fn start(folder: &Folder) -> Beside {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("socket://{}", listener.local_addr().unwrap());
        let mut running = Tidemill::new(folder.path(), "run").arg(guest("rust", "wordcount")).bind("lines", &url).start();
        let (mut socket, _) = listener.accept().unwrap();
        let (took, over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (times, ended) = (Arc::clone(&took), Arc::clone(&over));
        let typing = std::thread::spawn(move || {
            let mut count = 0;
            while !ended.load(Relaxed) {
                std::thread::sleep(PAUSE);
                count += 1;
                let typed = Instant::now();
                socket.write_all(b"word\n").unwrap();
                assert_eq!(running.line(), format!("word,{count}"));
                times.lock().unwrap().push(typed.elapsed());
            }
            drop(socket);
            running.end().expect(tidemill_e2e::exit::OK, &[]);
        });
        Beside { took, over, typing: Some(typing) }
    }

    /// How long words took since this was last asked, once there were enough of them to tell.
    pub(crate) fn latency(&self, enough: usize) -> Latency {
        while self.took.lock().unwrap().len() < enough {
            assert!(!self.typing.as_ref().unwrap().is_finished(), "the job beside has ended");
            std::thread::sleep(PAUSE);
        }
        let mut took = std::mem::take(&mut *self.took.lock().unwrap());
        took.sort_unstable();
        Latency { words: took.len(), p50: took[took.len() / 2], p99: took[took.len() * 99 / 100] }
    }

    /// The job comes to its end as it should.
    pub(crate) fn end(mut self) {
        self.over.store(true, Relaxed);
        self.typing.take().unwrap().join().unwrap();
    }
}
