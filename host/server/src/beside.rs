//! Two versions of a job over the same input, beside the job: what a swap with a shadow asks for first.
//!
//! The running job makes a savepoint and goes on. Then the version that runs and the new one each begin with it in a child, one after the
//! other, read the same records and write to folders of their own, which are compared. What differs may be the fault of no version, where
//! output depends on the clock or on whose turn it was: the version that runs is then run a second time, and has to agree with itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::time::timeout;

use crate::admission::{self, Need, admit};
use crate::control::Savepoint;
use crate::error::{Code, Error};
use crate::job::record::Version;
use crate::job::{Job, flags};
use crate::limits::{CHILD_CPU, SHADOW_BYTES_MAX, SHADOW_WAIT};
use crate::operate::Server;
use crate::shadow::{Ran, Shadow};

/// The folder of a job's shadow, and the savepoint in it.
const FOLDER: &str = "shadow";

/// The room that a shadow takes, and its folder, for as long as it lives: also where whoever asked has gone away.
struct Place {
    job: Arc<Job>,
    folder: PathBuf,
    left: bool,
}

impl Place {
    /// Gives the room back before anybody is answered, so that who asks again at once is not told to wait.
    async fn leave(mut self) {
        self.left = true;
        let _ = tokio::task::spawn_blocking(clear(&self.job, &self.folder)).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Without a runtime the server is ending.
        if let (false, Ok(runtime)) = (self.left, tokio::runtime::Handle::try_current()) {
            runtime.spawn_blocking(clear(&self.job, &self.folder));
        }
    }
}

/// Removes what a shadow has left, which may be the savepoint of a large state, and gives its room back after that.
fn clear(job: &Arc<Job>, folder: &Path) -> impl FnOnce() + Send + 'static {
    let (job, folder) = (Arc::clone(job), folder.to_owned());
    move || {
        // What cannot be removed is removed before the next one, or with the job.
        let _ = std::fs::remove_dir_all(folder);
        job.leave_shadow();
    }
}

/// A version to run, and where.
struct Side<'a> {
    version: &'a Version,
    folder: PathBuf,
}

impl Server {
    /// Runs both versions over so many records of each source, and compares what they write.
    pub(crate) async fn shadow(&self, job: &Arc<Job>, after: &Version, records: u64) -> Result<Shadow, Error> {
        let before = &job.record().version;
        if records == 0 {
            return Err(Error::new(Code::BadRequest, "a shadow of no records compares nothing").hint("e.g. --shadow 10000"));
        }
        let place = self.place(job, before, after).await?;
        let compared = timeout(SHADOW_WAIT, self.both(&place, before, after, records)).await;
        place.leave().await;
        let compared = compared.map_err(|_| {
            let text = format!("the shadow of {records} records has not come to its end within {} s", SHADOW_WAIT.as_secs());
            Error::new(Code::TimedOut, text).hint("take fewer records; the job runs on as before")
        })?;
        if job.record().version.number != before.number {
            return Err(Error::new(Code::JobBusy, "the job has become another version meanwhile").hint("ask again"));
        }
        if let Ok(shadow) = &compared {
            let word = if shadow.differs() { "different" } else { "equal" };
            self.events.tell("job-shadowed", Some((&job.id, &job.name)), format!("{} records, output {word}", shadow.records));
        }
        compared
    }

    /// Takes room for one process that has the state of all workers, as any other job would have to.
    async fn place(&self, job: &Arc<Job>, before: &Version, after: &Version) -> Result<Place, Error> {
        let _one_at_a_time = self.admitting.lock().await;
        let bytes = instance_bytes(before).max(instance_bytes(after));
        let need = Need { workers: 1, instance_bytes: bytes, ..before.need().or(after.need()) };
        admit(self.options.capacity, &self.jobs.holders(None), need).map_err(|error| Error { message: for_shadow(&error), ..error })?;
        job.enter_shadow(need)?;
        let place = Place { job: Arc::clone(job), folder: job.folder.join(FOLDER), left: false };
        let made = tokio::task::block_in_place(|| {
            let _ = std::fs::remove_dir_all(&place.folder);
            std::fs::create_dir(&place.folder)
        });
        made.map_err(|e| Error::internal("the folder of the shadow cannot be made", &e))?;
        Ok(place)
    }

    async fn both(&self, place: &Place, before: &Version, after: &Version, records: u64) -> Result<Shadow, Error> {
        let to = format!("file:{}", place.folder.display());
        let savepoint = Savepoint { name: Some(FOLDER.to_owned()), to: Some(to) };
        let from = self.make_savepoint(&place.job, savepoint).await?.url;
        let side = |version, folder: &str| Side { version, folder: place.folder.join(folder) };
        let (old, new) = (side(before, "before"), side(after, "after"));
        let was = self.run_beside(&old, &from, records).await?;
        let is = self.run_beside(&new, &from, records).await.map_err(|error| match error.code {
            Code::SwapRefused => Error { message: format!("the new version does not come through its shadow: {}", error.message), ..error },
            _ => error,
        })?;
        let shadow = self.children.compare((&old.folder, &was), (&new.folder, &is)).await?;
        if shadow.differs() {
            let again = side(before, "again");
            let ran = self.run_beside(&again, &from, records).await?;
            if self.children.compare((&old.folder, &was), (&again.folder, &ran)).await?.differs() {
                let text = "the version that runs does not write the same twice over the same input, so a shadow shows nothing";
                let hint = "its output depends on the clock or on how its sources take turns; swap without --shadow";
                return Err(Error::new(Code::SwapRefused, text).hint(hint));
            }
        }
        Ok(shadow)
    }

    async fn run_beside(&self, side: &Side<'_>, from: &str, records: u64) -> Result<Ran, Error> {
        std::fs::create_dir(&side.folder).map_err(|e| Error::internal("a folder of the shadow cannot be made", &e))?;
        let version = Version { instance_bytes: instance_bytes(side.version), ..side.version.clone() };
        let mut args = flags(&version);
        args.extend([format!("--from={from}"), format!("--records={records}")].map(Into::into));
        args.extend(["--into".into(), side.folder.clone().into_os_string()]);
        args.extend(side.version.allow_dropped_state.then(|| "--allow-dropped-state".into()));
        self.children.shadow(version.program(self.components.folder()), args).await.map_err(costly)
    }
}

/// Memory for the state of all workers in one instance, which cannot address more than 4 GiB.
fn instance_bytes(version: &Version) -> u64 {
    (u64::from(version.workers) * version.instance_bytes).min(4 << 30)
}

/// A child that passed a limit may have done so because there was much to read.
fn costly(error: Error) -> Error {
    if error.code != Code::ComponentRefused {
        return error;
    }
    let most = admission::mib(SHADOW_BYTES_MAX);
    let hint =
        format!("take fewer records: a shadow has {} s of processor time, and {most} for what it writes to a sink", CHILD_CPU.as_secs());
    Error { code: Code::SwapRefused, message: "the shadow did not come to its end".to_owned(), hint: Some(hint), ..error }
}

fn for_shadow(error: &Error) -> String {
    error.message.replacen("the job needs", "the shadow needs", 1)
}

/// Refuses a swap whose shadow wrote something else.
pub(crate) fn judge(shadow: &Shadow) -> Result<(), Error> {
    if !shadow.differs() {
        return Ok(());
    }
    let error = Error::new(Code::SwapRefused, "the new version writes something else than the one that runs");
    let error = error.hint("--allow-difference swaps all the same; the job runs on as before");
    Err(lines(shadow).into_iter().fold(error, Error::because))
}

/// The sinks that differ, each with the first record of either side.
fn lines(shadow: &Shadow) -> Vec<String> {
    let mut lines = Vec::new();
    for sink in &shadow.sinks {
        let Some(found) = &sink.difference else { continue };
        let (name, records) = (&sink.operator, shadow.records);
        lines.push(format!("{name}: of {records} records read, {} written no more and {} new", found.missing, found.surplus));
        lines.extend(found.first_missing.iter().map(|record| format!("- {name}: {record}")));
        lines.extend(found.first_surplus.iter().map(|record| format!("+ {name}: {record}")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::record::tests::version;
    use crate::shadow::{Difference, ShadowSink};

    #[test]
    fn a_difference_is_refused_with_the_first_record_of_either_side() {
        let found = |missing: Option<&str>, surplus: Option<&str>| Difference {
            missing: u64::from(missing.is_some()),
            first_missing: missing.map(str::to_owned),
            surplus: u64::from(surplus.is_some()),
            first_surplus: surplus.map(str::to_owned),
        };
        let sink = |operator: &str, difference| ShadowSink { operator: operator.to_owned(), before: 1, after: 1, difference };
        let equal = Shadow { records: 9, cut: true, sinks: vec![sink("a", None)] };
        assert!(judge(&equal).is_ok());
        let differs = [sink("a", None), sink("b", Some(found(Some("1"), Some("2")))), sink("c", Some(found(None, Some("3"))))];
        let error = judge(&Shadow { sinks: differs.to_vec(), ..equal }).unwrap_err();
        assert_eq!(error.code, Code::SwapRefused);
        let of = |name: &str, missing: u8, new: u8| format!("{name}: of 9 records read, {missing} written no more and {new} new");
        let expected = [of("b", 1, 1), "- b: 1".to_owned(), "+ b: 2".to_owned(), of("c", 0, 1), "+ c: 3".to_owned()];
        assert_eq!(error.causes, expected);
    }

    #[test]
    fn a_shadow_that_passes_a_limit_is_told_to_be_shorter() {
        let died =
            Error::new(Code::ComponentRefused, "component-too-costly: the component was not examined to the end").because("signal 25");
        let told = costly(died);
        assert_eq!((told.code, told.causes), (Code::SwapRefused, vec!["signal 25".to_owned()]));
        assert!(told.hint.unwrap().starts_with("take fewer records"));
        assert_eq!(costly(Error::new(Code::TooBusy, "wait")).code, Code::TooBusy);
    }

    #[test]
    fn one_instance_has_the_state_of_all_workers() {
        assert_eq!(instance_bytes(&version(1, 3)), 3 << 20);
        assert_eq!(instance_bytes(&Version { instance_bytes: 2 << 30, ..version(1, 3) }), 4 << 30);
    }
}
