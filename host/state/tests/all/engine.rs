//! An engine without a dataflow: plain threads that change state when they are told, and hand over at boundaries. What the state
//! was at each boundary is remembered, so that a restored checkpoint can be compared with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use tidemill_core::block::Block;
use tidemill_core::checkpoint::protocol::RunnerId;
use tidemill_core::checkpoint::{CheckpointId, Handover, Keeper, Keyed, Saved};
use tidemill_core::connect;
use tidemill_core::key;
use tidemill_state::{
    Base, Coordinator, Ending, Event, Expected, Granted, Hooks, Job, Manifest, Options, Restore, Start, Store, Which, Wish, judge, start,
};

use crate::pages::{Change, Kept, Place, changes, page, state};

/// Longer than anything takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Checkpoints are made when they are asked for.
pub(crate) fn asked() -> Options {
    Options { timeout: PATIENCE, ..Options::default() }
}

/// Operators of the scripted job.
const SOURCE: u32 = 0;
pub(crate) const COUNTS: u32 = 1;
const SINK: u32 = 2;

/// Live keyed state.
pub(crate) type Model = BTreeMap<Place, Kept>;

enum Command {
    /// Changes, each with the name of the output it makes.
    Change(Vec<(Change, String)>),
    Boundary(CheckpointId),
    /// The end of the job. It is handed over under the number of the last boundary, which it lies behind.
    End(CheckpointId),
    /// Everything is kept back until the next of these.
    Hold(bool),
}

#[derive(Default)]
struct Shared {
    model: Model,
    /// The state at each boundary, and the names that were staged up to it.
    boundaries: BTreeMap<CheckpointId, (Model, BTreeSet<String>)>,
    staged: BTreeSet<String>,
    committed: Vec<String>,
    events: Vec<Event>,
    next_output: u64,
    last: Option<CheckpointId>,
    refuse_boundaries: bool,
    refuse_commits: bool,
}

/// A running job.
pub(crate) struct Engine {
    shared: Arc<Mutex<Shared>>,
    commands: Vec<Sender<Command>>,
    workers: Vec<JoinHandle<()>>,
    pub(crate) coordinator: Arc<Coordinator>,
}

/// Everything there is in a checkpoint, read by so many workers.
pub(crate) fn saved_model(saved: &Restore, workers: usize) -> Model {
    let mut model = Model::new();
    for worker in 0..workers {
        let groups: Vec<u32> = (0..key::GROUPS).filter(|group| key::worker(*group, workers) == worker).collect();
        let range = groups[0]..groups[groups.len() - 1] + 1;
        let each = &mut |page: Block| {
            for (place, kept) in changes(&page) {
                assert!(range.contains(&place.0), "a row of a group that was not asked for");
                let before = model.insert(place, kept.expect("only live state comes back"));
                assert!(before.is_none(), "a place comes back once");
            }
            Ok(())
        };
        Saved::pages(saved, "counts", range.clone(), each).expect("the state can be read");
    }
    model
}

/// Compares states without filling the screen.
pub(crate) fn assert_same(found: &Model, expected: &Model, what: &str) {
    let different = expected.iter().find(|(place, kept)| found.get(*place) != Some(*kept));
    assert_eq!(different.map(|(place, kept)| (place, Some(kept), found.get(place))), None, "{what}");
    assert_eq!(found.len(), expected.len(), "{what}: places that should be gone");
}

/// The state of a checkpoint, every byte of which has been looked at.
pub(crate) fn restored(store: &Store, manifest: &Manifest, workers: usize) -> Model {
    judge(store, manifest).unwrap();
    saved_model(&Restore::new(store, manifest), workers)
}

/// The newest checkpoint is the state at its boundary, at any parallelism, and what was staged up to it is visible, and nothing else.
pub(crate) fn assert_saved(store: &Store, told: &Told) -> CheckpointId {
    let saved = tidemill_state::open(store, &Which::Newest).unwrap();
    let checkpoint = saved.checkpoint();
    for workers in [1, 2, 5] {
        assert_same(&saved_model(&saved, workers), told.model_at(checkpoint), &format!("checkpoint {checkpoint} read by {workers}"));
    }
    assert_eq!(&told.output(), told.output_at(checkpoint), "checkpoint {checkpoint}");
    checkpoint
}

/// The names of the files of a folder.
pub(crate) fn files(store: &Store, folder: &str) -> Vec<String> {
    store.list(folder).unwrap().into_iter().map(|entry| entry.name).collect()
}

/// A start of the job in a directory, and what it goes on from.
pub(crate) fn open(store: &Store, runner: u64) -> (Start, Option<Base>) {
    let start = start(store, RunnerId(runner)).expect("the job starts");
    let base = start.base.clone().map(|manifest| Base { store: store.clone(), manifest });
    (start, base)
}

impl Engine {
    /// Starts a job from nothing or from its last checkpoint.
    pub(crate) fn start(store: &Store, runner: u64, workers: usize, options: Options) -> Engine {
        let (start, base) = open(store, runner);
        Engine::start_from(store, &start, base, workers, options)
    }

    /// Starts a job from a base.
    pub(crate) fn start_from(store: &Store, start: &Start, base: Option<Base>, workers: usize, options: Options) -> Engine {
        let model = base.as_ref().map(|base| saved_model(&Restore::new(&base.store, &base.manifest), workers)).unwrap_or_default();
        let generation = start.opened.generation().0;
        let shared = Arc::new(Mutex::new(Shared { model, next_output: generation * 1_000_000, ..Shared::default() }));
        let keeper: Arc<OnceLock<Arc<Coordinator>>> = Arc::default();
        let (commands, receivers): (Vec<Sender<Command>>, Vec<Receiver<Command>>) = (0..workers).map(|_| channel()).unzip();
        let expected = |operator, name: &str, key: Option<&str>| Expected {
            operator,
            name: name.to_owned(),
            kind: name.to_owned(),
            workers,
            key: key.map(|key| key.parse().unwrap()),
        };
        let operators = vec![expected(SOURCE, "source", None), expected(COUNTS, "counts", Some("id:i64")), expected(SINK, "sink", None)];
        let job = Job { name: "scripted".to_owned(), plan: "0.1.0 test".to_owned(), groups: key::GROUPS, operators };
        let hooks = hooks(&shared, commands.clone());
        let coordinator = Arc::new(Coordinator::start(store.clone(), start, base, job, options, hooks).unwrap());
        assert!(keeper.set(Arc::clone(&coordinator)).is_ok());
        let run = |(worker, receiver): (usize, Receiver<Command>)| {
            let keeper = Arc::clone(&keeper);
            std::thread::spawn(move || Worker::new(worker, keeper).run(&receiver))
        };
        let workers = receivers.into_iter().enumerate().map(run).collect();
        Engine { shared, commands, workers, coordinator }
    }

    /// Changes state: numbers above zero are kept, others mean that the place is gone. Each change makes a piece of output.
    pub(crate) fn change(&self, numbers: impl IntoIterator<Item = (i64, i64)>) {
        let mut shared = self.shared.lock().unwrap();
        let mut by_worker: Vec<Vec<(Change, String)>> = self.commands.iter().map(|_| Vec::new()).collect();
        for (id, number) in numbers {
            let key = id.to_le_bytes().to_vec();
            let group = key::group(key::hash(&key));
            let place = (group, key, (id % 3).to_le_bytes().to_vec());
            let kept = (number > 0).then(|| (None, number, (id % 2 == 0).then(|| format!("n{number}"))));
            match kept.clone() {
                Some(kept) => shared.model.insert(place.clone(), kept),
                None => shared.model.remove(&place),
            };
            let name = format!("out-{}", shared.next_output);
            shared.next_output += 1;
            shared.staged.insert(name.clone());
            by_worker[key::worker(group, self.commands.len())].push(((place, kept), name));
        }
        for (commands, changes) in self.commands.iter().zip(by_worker) {
            commands.send(Command::Change(changes)).unwrap();
        }
    }

    /// Asks for a checkpoint and waits for it.
    pub(crate) fn checkpoint(&self) -> Granted {
        self.coordinator.wish(Wish::Checkpoint).recv().expect("the coordinator answers")
    }

    /// Whether the engine takes boundaries.
    pub(crate) fn take_boundaries(&self, take: bool) {
        self.shared.lock().unwrap().refuse_boundaries = !take;
    }

    /// Whether output can be committed.
    pub(crate) fn take_commits(&self, take: bool) {
        self.shared.lock().unwrap().refuse_commits = !take;
    }

    /// Whether a worker keeps back what it is told.
    pub(crate) fn hold(&self, worker: usize, hold: bool) {
        self.commands[worker].send(Command::Hold(hold)).unwrap();
    }

    /// One worker comes to its end and hands over its last.
    pub(crate) fn end(&self, worker: usize) {
        let shared = self.shared.lock().unwrap();
        // It may have ended before.
        let _ = self.commands[worker].send(Command::End(shared.last.unwrap_or(CheckpointId(0))));
    }

    /// Ends all workers and the coordinator.
    pub(crate) fn finish(mut self, ending: Ending, patience: Duration) -> (Result<(), tidemill_state::Error>, Told) {
        (0..self.commands.len()).for_each(|worker| self.end(worker));
        self.commands.clear();
        // The coordinator's announcements hold the other ends of the channels until it has stopped.
        self.workers.drain(..).for_each(|worker| worker.join().unwrap());
        let answer = self.coordinator.finish(ending, patience);
        (answer, self.told())
    }

    /// What the job has seen so far.
    pub(crate) fn told(&self) -> Told {
        let shared = self.shared.lock().unwrap();
        Told {
            model: shared.model.clone(),
            staged: shared.staged.clone(),
            committed: shared.committed.clone(),
            events: shared.events.clone(),
            boundaries: shared.boundaries.clone(),
        }
    }
}

/// What a job has seen.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) model: Model,
    pub(crate) staged: BTreeSet<String>,
    pub(crate) committed: Vec<String>,
    pub(crate) events: Vec<Event>,
    boundaries: BTreeMap<CheckpointId, (Model, BTreeSet<String>)>,
}

impl Told {
    /// The state at the boundary of a checkpoint.
    pub(crate) fn model_at(&self, checkpoint: CheckpointId) -> &Model {
        &self.boundaries[&checkpoint].0
    }

    /// The output of everything up to the boundary of a checkpoint.
    pub(crate) fn output_at(&self, checkpoint: CheckpointId) -> &BTreeSet<String> {
        &self.boundaries[&checkpoint].1
    }

    /// What was committed, each name once.
    pub(crate) fn output(&self) -> BTreeSet<String> {
        self.committed.iter().cloned().collect()
    }
}

fn hooks(shared: &Arc<Mutex<Shared>>, commands: Vec<Sender<Command>>) -> Hooks {
    let shared = || Arc::clone(shared);
    let clock = AtomicI64::new(1_700_000_000_000);
    let (begun, committed, told) = (shared(), shared(), shared());
    Hooks {
        begin: Box::new(move |checkpoint, _| {
            let mut shared = begun.lock().unwrap();
            if shared.refuse_boundaries {
                return false;
            }
            let at = (shared.model.clone(), shared.staged.clone());
            shared.boundaries.insert(checkpoint, at);
            shared.last = Some(checkpoint);
            commands.iter().all(|worker| worker.send(Command::Boundary(checkpoint)).is_ok())
        }),
        commit: Box::new(move |operator, names| {
            assert_eq!(operator, "sink");
            let mut shared = committed.lock().unwrap();
            if shared.refuse_commits {
                return Err(connect::Error::Io("the sink is down".to_owned()));
            }
            shared.committed.extend_from_slice(names);
            Ok(())
        }),
        event: Box::new(move |event| told.lock().unwrap().events.push(event)),
        now: Box::new(move || clock.fetch_add(1, Ordering::Relaxed)),
    }
}

/// One worker of all operators.
struct Worker {
    worker: usize,
    keeper: Arc<OnceLock<Arc<Coordinator>>>,
    dirty: BTreeMap<Place, Option<Kept>>,
    staged: Vec<String>,
    changes: usize,
    held: Option<Vec<Command>>,
    ended: bool,
}

impl Worker {
    fn new(worker: usize, keeper: Arc<OnceLock<Arc<Coordinator>>>) -> Worker {
        Worker { worker, keeper, dirty: BTreeMap::new(), staged: Vec::new(), changes: 0, held: None, ended: false }
    }

    fn run(mut self, commands: &Receiver<Command>) {
        for command in commands {
            match (&mut self.held, command) {
                (_, Command::Hold(true)) => self.held = Some(Vec::new()),
                (_, Command::Hold(false)) => self.held.take().into_iter().flatten().for_each(|command| self.obey(command)),
                (Some(held), command) => held.push(command),
                (None, command) => self.obey(command),
            }
            if self.ended {
                return;
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Change(changes) => self.change(changes),
            Command::Boundary(checkpoint) => self.hand_over(checkpoint, false),
            Command::End(checkpoint) => {
                self.hand_over(checkpoint, true);
                self.ended = true;
            }
            Command::Hold(_) => {}
        }
    }

    fn change(&mut self, changes: Vec<(Change, String)>) {
        self.changes += changes.len();
        for ((place, kept), name) in changes {
            self.dirty.insert(place, kept);
            self.staged.push(name);
        }
    }

    fn hand_over(&mut self, checkpoint: CheckpointId, last: bool) {
        let rows: Vec<Change> = std::mem::take(&mut self.dirty).into_iter().collect();
        let handover = |operator| Handover {
            operator,
            worker: self.worker,
            watermark: self.changes as i64,
            keyed: None,
            position: None,
            staged: Vec::new(),
            last,
        };
        let keyed = Keyed { state: state(), pages: rows.chunks(50).filter_map(page).collect() };
        let position = Some(format!("{}:{}", self.worker, self.changes));
        let handovers = [
            Handover { position, ..handover(SOURCE) },
            Handover { keyed: Some(keyed), ..handover(COUNTS) },
            Handover { staged: std::mem::take(&mut self.staged), ..handover(SINK) },
        ];
        let keeper = loop {
            match self.keeper.get() {
                Some(keeper) => break keeper,
                None => std::thread::yield_now(),
            }
        };
        handovers.into_iter().for_each(|handover| keeper.keep(checkpoint, handover));
    }
}
