//! What the operators of a job wait for: its runner says it, or has left it in the job's folder: at its end, and now and then before.

use tidemill_core::explain::Facts;

use crate::control::{FACTS_FILE, Reply, Request};
use crate::durable;
use crate::error::{Code, Error};
use crate::job::{Job, ask, is_absent};
use crate::limits::STATUS_WAIT;

/// The facts of a job; those of its end when it does not run.
pub(crate) async fn facts(job: &Job) -> Result<Facts, Error> {
    match ask(&job.socket, &Request::Explain, STATUS_WAIT).await {
        Ok(Reply::Facts(facts)) => Ok(*facts),
        Ok(_) => Err(Error::new(Code::RunnerRefused, "the runner has answered something else")),
        Err(error) if is_absent(&error) => left(job),
        Err(error) => Err(Error::new(Code::RunnerRefused, "the runner has not answered").because(error.to_string())),
    }
}

fn left(job: &Job) -> Result<Facts, Error> {
    let left = durable::read(&job.folder.join(FACTS_FILE));
    let left = left.map_err(|_| Error::new(Code::Internal, "what the job has left of its operators cannot be read"))?;
    left.map(Facts::left).ok_or_else(|| {
        let fault = Error::new(Code::JobState, "the job does not run, and has not said what its operators waited for");
        fault.hint("it has not run for long enough to say anything; one that is starting answers when it runs")
    })
}
