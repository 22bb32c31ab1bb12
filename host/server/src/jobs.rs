//! The jobs of a server: read back at its start, found by name or id, forgotten when they have been over for long enough.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::admission::Holder;
use crate::durable;
use crate::error::{Code, Error, tell};
use crate::examined::Planned;
use crate::id::{Digest, JobId, Name};
use crate::job::record::Record;
use crate::job::{Context, Job, RECORD_FILE, supervise};
use crate::limits::{JOBS_ENDED_MAX, JOBS_MAX};
use crate::options::Places;
use crate::process::now_ms;

/// All jobs that are remembered.
pub(crate) struct Jobs {
    places: Places,
    context: Arc<Context>,
    known: Mutex<BTreeMap<JobId, Arc<Job>>>,
    number: AtomicU16,
    ended_max: usize,
}

impl Jobs {
    /// Reads what there is, and takes up what is not over. A folder without a record was never admitted; one whose record cannot be read
    /// is kept and told.
    pub(crate) fn open(places: Places, context: Arc<Context>) -> io::Result<Jobs> {
        let jobs = Jobs { places, context, known: Mutex::default(), number: AtomicU16::new(0), ended_max: JOBS_ENDED_MAX };
        for entry in fs::read_dir(jobs.places.jobs())? {
            let folder = entry?.path();
            match durable::read::<Record>(&folder.join(RECORD_FILE)) {
                Ok(Some(record)) if folder.file_name().is_some_and(|name| name == record.id.as_str()) => jobs.take_up(record, folder),
                Ok(Some(record)) => tell(&format!("{} is passed over: its record is that of {}", folder.display(), record.id)),
                Ok(None) => remove(&folder),
                Err(error) => tell(&format!("a job is passed over: {error}")),
            }
        }
        Ok(jobs)
    }

    fn take_up(&self, record: Record, folder: PathBuf) {
        let job = Arc::new(Job::new(record, folder, &self.places));
        self.known().insert(job.id.clone(), Arc::clone(&job));
        if !job.is_over() {
            tokio::spawn(supervise(job, Arc::clone(&self.context)));
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<JobId, Arc<Job>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them, the oldest first.
    pub(crate) fn list(&self) -> Vec<Arc<Job>> {
        self.known().values().cloned().collect()
    }

    /// Those that are not over.
    pub(crate) fn live(&self) -> Vec<Arc<Job>> {
        self.list().into_iter().filter(|job| !job.is_over()).collect()
    }

    /// By id; by name the one that is not over, else the last one that was.
    pub(crate) fn find(&self, text: &str) -> Result<Arc<Job>, Error> {
        if let Ok(id) = text.parse::<JobId>()
            && let Some(job) = self.known().get(&id)
        {
            return Ok(Arc::clone(job));
        }
        let known = self.known();
        let named = || known.values().rev().filter(|job| job.name.as_str() == text);
        named().find(|job| !job.is_over()).or_else(|| named().next()).cloned().ok_or_else(|| Error::no_job(text))
    }

    /// What is taken, but by one job.
    pub(crate) fn holders(&self, but: Option<&JobId>) -> Vec<Holder> {
        let holder = |job: Arc<Job>| Holder { name: job.name.to_string(), need: job.record().need() };
        let shadow = |job: &Arc<Job>| Some(Holder { name: format!("the shadow of {}", job.name), need: job.shadow()? });
        let live = self.live();
        let shadows = live.iter().filter_map(shadow).collect::<Vec<_>>();
        live.into_iter().filter(|job| Some(&job.id) != but).map(holder).chain(shadows).collect()
    }

    /// Whether one more job of this name can be.
    pub(crate) fn room_for(&self, name: &Name) -> Result<(), Error> {
        let live = self.live();
        if let Some(job) = live.iter().find(|job| job.name == *name) {
            let error = Error::new(Code::NameTaken, format!("a job is called {name} already ({})", job.id));
            return Err(error.hint("choose another name, or stop that job first; `swap` changes its code while its state stays"));
        }
        match live.len() >= JOBS_MAX {
            true => Err(Error::new(Code::NoRoom, format!("{JOBS_MAX} jobs run, which is the most")).hint("stop one")),
            false => Ok(()),
        }
    }

    /// Names of jobs that run a component or may go back to it.
    pub(crate) fn using(&self, digest: &Digest) -> Vec<Name> {
        let uses = |record: &Record| {
            let next = record.next.as_ref().map(|next| &next.version);
            let before = record.probation.as_ref().map(|probation| &*probation.before);
            [Some(&record.version), next, before].into_iter().flatten().any(|version| version.digests().contains(&digest))
        };
        self.live().into_iter().filter(|job| uses(&job.record())).map(|job| job.name.clone()).collect()
    }

    /// An id that no job has had.
    pub(crate) fn new_id(&self) -> JobId {
        loop {
            let id = JobId::new(now_ms(), self.number.fetch_add(1, Relaxed));
            if !self.known().contains_key(&id) {
                return id;
            }
        }
    }

    /// Begins a job that was admitted: its folder is there whole, or not at all.
    pub(crate) fn begin(&self, record: Record, planned: &Planned) -> io::Result<Arc<Job>> {
        let folder = self.places.jobs().join(record.id.as_str());
        fs::create_dir(&folder)?;
        let job = Arc::new(Job::new(record.clone(), folder.clone(), &self.places));
        let written = durable::write(&job.plan_file(record.version.number), planned)
            .and_then(|()| durable::write(&folder.join(RECORD_FILE), &record))
            .and_then(|()| durable::sync_folder(&self.places.jobs()));
        if let Err(error) = written {
            remove(&folder);
            return Err(error);
        }
        self.known().insert(job.id.clone(), Arc::clone(&job));
        tokio::spawn(supervise(Arc::clone(&job), Arc::clone(&self.context)));
        self.forget();
        Ok(job)
    }

    /// Forgets the jobs that have been over for longest, beyond those that are shown.
    fn forget(&self) {
        let mut over: Vec<(u64, Arc<Job>)> = self.list().into_iter().filter_map(|job| Some((job.record().end?.at_ms, job))).collect();
        over.sort_by_key(|(at_ms, job)| (*at_ms, job.id.clone()));
        let surplus = over.len().saturating_sub(self.ended_max);
        over.into_iter().take(surplus).for_each(|(_, job)| self.remove(&job));
    }

    /// Forgets a job that is over, with its folder.
    pub(crate) fn remove(&self, job: &Job) {
        self.known().remove(&job.id);
        remove(&job.folder);
    }
}

/// Removes a folder of ours: first what makes it a job, so that a crash in the middle leaves none.
fn remove(folder: &Path) {
    let _ = fs::remove_file(folder.join(RECORD_FILE));
    if let Err(error) = fs::remove_dir_all(folder) {
        tell(&format!("{} cannot be removed: {error}", folder.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Events;
    use crate::job::record::tests::record;
    use crate::job::record::{End, EndState};
    use crate::testing;

    fn jobs(root: &Path) -> Jobs {
        let options = crate::Options { data_dir: root.to_path_buf(), ..testing::options() };
        let places = options.places();
        places.all().iter().for_each(|folder| fs::create_dir_all(folder).unwrap());
        Jobs::open(places, Arc::new(Context { options, events: Arc::new(Events::new()) })).unwrap()
    }

    fn over(number: u16, name: &str, at_ms: u64) -> Record {
        let end = End { state: EndState::Finished, at_ms, message: None, causes: vec![], hint: None, savepoint: None, status: None };
        Record { id: JobId::new(u64::from(number), number), name: name.parse().unwrap(), end: Some(end), ..record() }
    }

    fn keep(jobs: &Jobs, record: &Record) -> PathBuf {
        let folder = jobs.places.jobs().join(record.id.as_str());
        fs::create_dir(&folder).unwrap();
        durable::write(&folder.join(RECORD_FILE), record).unwrap();
        folder
    }

    #[tokio::test]
    async fn jobs_are_found_by_id_and_by_name_the_last_one() {
        let root = tempfile::tempdir().unwrap();
        let first = jobs(root.path());
        let (a, b) = (over(1, "counts", 1), over(2, "counts", 2));
        keep(&first, &a);
        keep(&first, &b);
        let again = jobs(root.path());
        assert_eq!(again.find("counts").unwrap().id, b.id);
        assert_eq!(again.find(a.id.as_str()).unwrap().id, a.id);
        for text in ["other", "", "../x", "j0000000000000000"] {
            assert_eq!(again.find(text).err().map(|error| error.code), Some(Code::JobNotFound));
        }
        assert!(again.room_for(&a.name).is_ok(), "a job that is over does not hold its name");
    }

    #[tokio::test]
    async fn what_was_never_admitted_is_removed_and_what_is_damaged_is_kept() {
        let root = tempfile::tempdir().unwrap();
        let first = jobs(root.path());
        let half = first.places.jobs().join("j0000000000000001");
        fs::create_dir(&half).unwrap();
        let damaged = keep(&first, &over(2, "counts", 1));
        fs::write(damaged.join(RECORD_FILE), "{").unwrap();
        let again = jobs(root.path());
        assert!(!half.exists() && damaged.exists() && again.list().is_empty());
    }

    #[tokio::test]
    async fn jobs_that_are_over_for_longest_are_forgotten_with_their_folders() {
        let root = tempfile::tempdir().unwrap();
        let first = jobs(root.path());
        let folders: Vec<PathBuf> = (1..=4).map(|n| keep(&first, &over(n, "counts", 10 - u64::from(n)))).collect();
        let again = Jobs { ended_max: 3, ..jobs(root.path()) };
        again.forget();
        assert_eq!(folders.iter().map(|folder| folder.exists()).collect::<Vec<_>>(), [true, true, true, false]);
    }
}
