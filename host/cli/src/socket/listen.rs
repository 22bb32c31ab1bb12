//! The side of the job: a thread that listens, and one for each request under way.

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use tidemill_core::checkpoint::protocol;
use tidemill_core::explain::Facts;
use tidemill_dataflow::Control;
use tidemill_server::control::{Exchange, NOT_UNDERSTOOD, Status};
use tidemill_state::{Access, Coordinator, Granted, Store, Wish};

use super::{Made, Reply, Request, SUFFIX, Savepoint, folder, make, plain, read_line, write_line};
use crate::commands::checkpoint;
use crate::fault::{Fault, Outcome};

/// Requests under way at most; people and scripts ask one at a time.
const REQUESTS_MAX: usize = 8;
/// How long a connection may take to say what it wants, and to take the answer: it is on this machine.
const LINE_TIMEOUT: Duration = Duration::from_secs(1);

/// Where a job listens.
pub(crate) enum Place<'a> {
    /// In the folder of this user's sockets, under the name of the job.
    Own(&'a str),
    /// Where its server says.
    Given(&'a Path),
}

/// What a job says of itself.
pub(crate) trait Tells: Send + Sync {
    /// How it goes.
    fn status(&self) -> Status;

    /// What its operators wait for.
    fn facts(&self) -> Facts;

    /// Goes on with other code, or says why not.
    ///
    /// # Errors
    /// When that code is no good.
    fn exchange(&self, wanted: Exchange) -> Outcome<Reply>;
}

/// Listens for as long as the job runs.
pub(crate) struct Listener {
    path: PathBuf,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the threads of requests need.
struct Shared {
    control: Arc<Control>,
    coordinator: Option<Arc<Coordinator>>,
    telling: Arc<dyn Tells>,
    /// Who waits for the end of the job.
    stops: Mutex<Stops>,
    requests: AtomicUsize,
    closing: AtomicBool,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct Stops {
    waiting: Vec<(Option<Wish>, Sender<Granted>, Sender<()>)>,
    /// The job has ended: nobody is told any more.
    over: bool,
}

/// Who waits for the end of a job: what they wish of its last checkpoint, and where to tell them.
pub(crate) struct Ended(Vec<(Option<Wish>, Sender<Granted>, Sender<()>)>);

impl Listener {
    /// Begins to listen. A job that cannot be reached runs all the same.
    ///
    /// # Errors
    /// Why no socket can be made.
    pub(crate) fn start(
        place: &Place<'_>,
        control: Arc<Control>,
        coordinator: Option<Arc<Coordinator>>,
        telling: Arc<dyn Tells>,
    ) -> io::Result<Listener> {
        match place {
            Place::Own(name) => Listener::start_in(&folder(), name, control, coordinator, telling),
            Place::Given(path) => Listener::start_at(path.to_path_buf(), control, coordinator, telling),
        }
    }

    fn start_in(
        folder: &Path,
        name: &str,
        control: Arc<Control>,
        coordinator: Option<Arc<Coordinator>>,
        telling: Arc<dyn Tells>,
    ) -> io::Result<Listener> {
        make(folder)?;
        Listener::start_at(folder.join(format!("{}.{}{SUFFIX}", plain(name), std::process::id())), control, coordinator, telling)
    }

    fn start_at(
        path: PathBuf,
        control: Arc<Control>,
        coordinator: Option<Arc<Coordinator>>,
        telling: Arc<dyn Tells>,
    ) -> io::Result<Listener> {
        // One that an earlier process of this number has left.
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        let shared = Arc::new(Shared {
            control,
            coordinator,
            telling,
            stops: Mutex::default(),
            requests: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            threads: Mutex::default(),
        });
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("control".to_owned()).spawn(move || listen(&listener, &own))?;
        Ok(Listener { path, shared, thread: Some(thread) })
    }

    /// The job has ended as it should: who waited for that. Whoever asks from now on comes too late.
    pub(crate) fn ended(&self) -> Ended {
        let mut stops = lock(&self.shared.stops);
        stops.over = true;
        Ended(std::mem::take(&mut stops.waiting))
    }
}

impl Drop for Listener {
    /// Every request gets its answer before the process ends.
    fn drop(&mut self) {
        self.ended();
        self.shared.closing.store(true, Relaxed);
        // Wakes the thread that listens; when that fails nobody can reach it, and it ends with the process.
        let woken = UnixStream::connect(&self.path).is_ok();
        let _ = std::fs::remove_file(&self.path);
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            // A panic has been reported by the hook of the process.
            let _ = thread.join();
        }
        // The operators of a job that has failed come to no boundary any more: a savepoint under way would wait for its timeout.
        if let Some(coordinator) = &self.shared.coordinator {
            coordinator.quit();
        }
        for thread in std::mem::take(&mut *lock(&self.shared.threads)) {
            let _ = thread.join();
        }
    }
}

impl Ended {
    /// Puts the wishes to the coordinator, runs the last checkpoint, and tells everybody.
    ///
    /// # Errors
    /// As the last checkpoint; whoever waits is told that too.
    pub(crate) fn with<T>(self, coordinator: &Coordinator, finish: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let wished: Vec<_> =
            self.0.into_iter().map(|(wish, answer, done)| (wish.map(|wish| coordinator.wish(wish)), answer, done)).collect();
        let outcome = finish();
        for (granted, answer, done) in wished {
            if let Some(granted) = granted.and_then(|granted| granted.recv().ok()) {
                let _ = answer.send(granted);
            }
            if outcome.is_ok() {
                let _ = done.send(());
            }
        }
        outcome
    }

    /// Tells everybody; of a job without checkpoints nothing is wished.
    pub(crate) fn tell(self) {
        for (_, _, done) in self.0 {
            // Whoever asked may be gone.
            let _ = done.send(());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen(listener: &UnixListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.closing.load(Relaxed) {
            return;
        }
        // A connection that has failed already concerns its other side only.
        let Ok(stream) = stream else { continue };
        if shared.requests.load(Relaxed) >= REQUESTS_MAX {
            let _ = stream.set_write_timeout(Some(LINE_TIMEOUT));
            let busy = Fault::refused(format!("{REQUESTS_MAX} requests are under way already")).hint("ask again when they are done");
            let _ = write_line(&stream, &Reply::from(busy));
            continue;
        }
        shared.requests.fetch_add(1, Relaxed);
        let own = Arc::clone(shared);
        let spawned = std::thread::Builder::new().name("request".to_owned()).spawn(move || {
            answer(&stream, &own);
            own.requests.fetch_sub(1, Relaxed);
        });
        match spawned {
            Ok(thread) => {
                let mut threads = lock(&shared.threads);
                threads.retain(|thread| !thread.is_finished());
                threads.push(thread);
            }
            Err(_) => {
                shared.requests.fetch_sub(1, Relaxed);
            }
        }
    }
}

/// Reads one request and writes its answer. Whoever has left gets none, which changes nothing for the job.
fn answer(stream: &UnixStream, shared: &Shared) {
    let timed = stream.set_read_timeout(Some(LINE_TIMEOUT)).and_then(|()| stream.set_write_timeout(Some(LINE_TIMEOUT)));
    if timed.is_err() {
        return;
    }
    let reply = match read_line::<Request>(stream) {
        Ok(request) => shared.handle(request).unwrap_or_else(Reply::from),
        Err(error) => Reply::from(Fault::refused(NOT_UNDERSTOOD).because(&error)),
    };
    let _ = write_line(stream, &reply);
}

impl Shared {
    fn handle(&self, request: Request) -> Outcome<Reply> {
        match request {
            Request::Status => Ok(Reply::Status(Box::new(self.telling.status()))),
            Request::Explain => Ok(Reply::Facts(Box::new(self.telling.facts()))),
            Request::Savepoint(savepoint) => {
                let (wish, url) = self.wish(savepoint)?;
                let coordinator = self.coordinator.as_ref().ok_or_else(without_checkpoints)?;
                made(&coordinator.wish(wish), &url)
            }
            Request::Exchange(wanted) => self.telling.exchange(wanted),
            Request::Stop { savepoint, drain } => {
                let wish = savepoint.map(|savepoint| self.wish(savepoint)).transpose()?;
                let (wish, url) = wish.map_or((None, None), |(wish, url)| (Some(wish), Some(url)));
                let (granted, done) = self.stop(wish, drain)?;
                let ended = done.recv().is_ok();
                match url {
                    Some(url) => made(&granted, &url),
                    None if ended => Ok(Reply::Done { savepoint: None }),
                    None => Err(Fault::failed("the job has failed while it was stopping").hint("its own messages say why")),
                }
            }
        }
    }

    fn stop(&self, wish: Option<Wish>, drain: bool) -> Outcome<(Receiver<Granted>, Receiver<()>)> {
        let ((granting, granted), (telling, done)) = (channel(), channel());
        let mut stops = lock(&self.stops);
        if stops.over {
            return Err(Fault::refused("the job has come to its end already"));
        }
        stops.waiting.push((wish, granting, telling));
        if drain {
            self.control.drain()
        } else {
            self.control.stop()
        }
        Ok((granted, done))
    }

    /// What to ask of the coordinator, and the URL that the savepoint will have.
    fn wish(&self, wanted: Savepoint) -> Outcome<(Wish, String)> {
        let coordinator = self.coordinator.as_ref().ok_or_else(without_checkpoints)?;
        let name = wanted.name.unwrap_or_else(moment);
        let name: protocol::Savepoint = name.parse().map_err(|e| Fault::usage("a savepoint cannot be called so").because(&e))?;
        let (wish, store) = match wanted.to {
            None => (Wish::Savepoint(name.clone()), coordinator.store().clone()),
            Some(url) => {
                let store = Store::open(&url, Access::Write, &checkpoint::settings())
                    .map_err(|e| Fault::refused(format!("cannot write a savepoint to {url}")).because(&e))?;
                (Wish::Copy(name.clone(), store.clone()), store)
            }
        };
        Ok((wish, format!("{}/{}", absolute(store.url()).trim_end_matches('/'), protocol::Object::Savepoint(name).path())))
    }
}

/// The URL of a directory, whatever the current directory of its reader.
pub(crate) fn absolute(url: &str) -> String {
    let (scheme, path) = match url.strip_prefix("file:") {
        Some(path) => ("file:", path.strip_prefix("//").unwrap_or(path)),
        None if url.contains(':') => return url.to_owned(),
        None => ("", url),
    };
    std::path::absolute(path).map_or_else(|_| url.to_owned(), |path| format!("{scheme}{}", path.display()))
}

fn without_checkpoints() -> Fault {
    Fault::refused("the job keeps no checkpoints, so there is nothing to make a savepoint of").hint("run it with --checkpoint-dir DIR")
}

/// The name of a savepoint that has none: its moment, e.g. `2026-03-01t12-00-00z`.
fn moment() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string().to_lowercase().replace(':', "-")
}

fn made(granted: &Receiver<Granted>, url: &str) -> Outcome<Reply> {
    match granted.recv() {
        Ok(Ok(manifest)) => {
            let made = Made { url: url.to_owned(), checkpoint: manifest.stamp.checkpoint.0, bytes: manifest.bytes() };
            Ok(Reply::Done { savepoint: Some(made) })
        }
        Ok(Err(error @ tidemill_state::Error::Exists { .. })) => {
            Err(Fault::refused(format!("there is a savepoint {url} already")).because(&error).hint("give it another --name"))
        }
        Ok(Err(error)) => Err(Fault::failed("the savepoint could not be made").because(&error)),
        Err(_) => Err(Fault::failed("the job ended before the savepoint was made").hint("its own messages say why")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::{Read as _, Write as _};

    use tidemill_core::explain::Phase;

    use super::*;

    /// A job that has read seven records, and has nothing to say of its operators.
    struct Seven;

    impl Tells for Seven {
        fn status(&self) -> Status {
            Status { records_in: 7, ..Status::default() }
        }

        fn exchange(&self, _: Exchange) -> Outcome<Reply> {
            Ok(Reply::Elsewhere { why: "there is no code".to_owned() })
        }

        fn facts(&self) -> Facts {
            Facts { job: "counts".to_owned(), taken_ms: 7, phase: Phase::Stopping, operators: Vec::new() }
        }
    }

    fn listener(folder: &tempfile::TempDir) -> Listener {
        Listener::start_in(&folder.path().join("sockets"), "counts", Arc::new(Control::new(1, 1)), None, Arc::new(Seven)).unwrap()
    }

    #[test]
    fn whoever_asks_a_job_to_stop_hears_of_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let listener = listener(&folder);
        let stream = UnixStream::connect(&listener.path).unwrap();
        write_line(&stream, &Request::Stop { savepoint: None, drain: false }).unwrap();
        while lock(&listener.shared.stops).waiting.is_empty() {
            std::thread::yield_now();
        }
        listener.ended().tell();
        assert_eq!(read_line::<Reply>(&stream).unwrap(), Reply::Done { savepoint: None });
    }

    #[test]
    fn whoever_asks_too_late_and_a_failed_job_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let listener = listener(&folder);
        let ask = || {
            let stream = UnixStream::connect(&listener.path).unwrap();
            write_line(&stream, &Request::Stop { savepoint: None, drain: true }).unwrap();
            stream
        };
        let refused = |stream: &UnixStream| match read_line::<Reply>(stream).unwrap() {
            Reply::Refused { message, .. } => message,
            other => panic!("{other:?}"),
        };
        let stream = ask();
        while lock(&listener.shared.stops).waiting.is_empty() {
            std::thread::yield_now();
        }
        drop(listener.ended());
        assert!(refused(&stream).contains("failed while it was stopping"));
        assert!(refused(&ask()).contains("come to its end already"));
    }

    #[test]
    fn a_job_says_how_it_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("given.sock");
        let listener = Listener::start(&Place::Given(&path), Arc::new(Control::new(1, 1)), None, Arc::new(Seven)).unwrap();
        let stream = UnixStream::connect(&path).unwrap();
        write_line(&stream, &Request::Status).unwrap();
        assert!(matches!(read_line::<Reply>(&stream).unwrap(), Reply::Status(status) if status.records_in == 7));
        let stream = UnixStream::connect(&path).unwrap();
        write_line(&stream, &Request::Explain).unwrap();
        assert_eq!(read_line::<Reply>(&stream).unwrap(), Reply::Facts(Box::new(Seven.facts())));
        drop(listener);
        assert!(!path.exists());
    }

    #[test]
    fn no_savepoint_is_made_of_a_job_without_checkpoints() {
        let folder = tempfile::tempdir().unwrap();
        let listener = listener(&folder);
        let mut stream = UnixStream::connect(&listener.path).unwrap();
        stream.write_all(b"{\"savepoint\":{\"name\":null,\"to\":null}}\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.contains("--checkpoint-dir"), "{text}");
    }

    /// Checkpoints of a job with one operator, which never comes to a boundary; the receiver is told of each that is announced.
    fn never_done() -> (Arc<Coordinator>, Receiver<()>) {
        let store = Store::memory().unwrap();
        let start = tidemill_state::start(&store, protocol::RunnerId(1)).unwrap();
        let expected =
            tidemill_state::Expected { operator: 0, name: "count".to_owned(), kind: "process".to_owned(), workers: 1, key: None };
        let job = tidemill_state::Job { name: "counts".to_owned(), plan: String::new(), groups: 256, operators: vec![expected] };
        let (announced, heard) = channel();
        let hooks = tidemill_state::Hooks {
            begin: Box::new(move |_, _| announced.send(()).is_ok()),
            commit: Box::new(|_, _| Ok(())),
            event: Box::new(|_| ()),
            now: Box::new(|| 0),
        };
        (Arc::new(Coordinator::start(store, &start, None, job, tidemill_state::Options::default(), hooks).unwrap()), heard)
    }

    #[test]
    fn a_job_that_fails_during_a_savepoint_does_not_wait_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let (coordinator, announced) = never_done();
        let control = Arc::new(Control::new(1, 1));
        let listener = Listener::start_in(&folder.path().join("sockets"), "counts", control, Some(coordinator), Arc::new(Seven)).unwrap();
        let stream = UnixStream::connect(&listener.path).unwrap();
        write_line(&stream, &Request::Savepoint(Savepoint { name: None, to: None })).unwrap();
        announced.recv().unwrap();
        let (dropping, dropped) = channel();
        std::thread::spawn(move || {
            drop(listener);
            // The test has failed when it no longer listens.
            let _ = dropping.send(());
        });
        dropped.recv_timeout(Duration::from_secs(20)).expect("the job ends");
        let reply = read_line::<Reply>(&stream).unwrap();
        assert!(matches!(&reply, Reply::Refused { message, .. } if message.contains("ended before the savepoint")), "{reply:?}");
    }

    #[test]
    fn requests_beyond_the_limit_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let listener = listener(&folder);
        let open: Vec<UnixStream> = (0..REQUESTS_MAX).map(|_| UnixStream::connect(&listener.path).unwrap()).collect();
        while listener.shared.requests.load(Relaxed) < REQUESTS_MAX {
            std::thread::yield_now();
        }
        let more = UnixStream::connect(&listener.path).unwrap();
        let reply = read_line::<Reply>(&more).unwrap();
        assert!(matches!(&reply, Reply::Refused { message, .. } if message.contains("under way already")), "{reply:?}");
        drop(open);
    }

    #[test]
    fn urls_do_not_depend_on_where_they_are_read() {
        assert!(absolute("kept").starts_with('/'));
        assert!(absolute("file:kept").starts_with("file:/"));
        assert_eq!(absolute("s3://bucket/kept"), "s3://bucket/kept");
    }
}
