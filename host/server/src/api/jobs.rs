//! Routes of jobs. `{job}` is a name or an id.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::App;
use super::answer::{Body, Named, Params};
use crate::error::{Code, Error};
use crate::view::{Changed, JobView, Made, Problem, Rescale, Rollback, Savepoint, Stop, Submit, Swap};

/// How long an operation is waited for unless the request says.
const WAIT: Duration = Duration::from_secs(60);
/// The longest: a proxy in between has limits too, and who asks again loses nothing.
const WAIT_MAX: Duration = Duration::from_secs(100);

/// How long an answer is waited for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Wait {
    /// Milliseconds until the job is shown as it is then, with status 202.
    wait_ms: Option<u64>,
}

impl Wait {
    fn time(&self) -> Duration {
        self.wait_ms.map_or(WAIT, Duration::from_millis).min(WAIT_MAX)
    }
}

/// 202 for what was begun and is not done.
fn answered(job: JobView, done: bool) -> Response {
    (if done { StatusCode::OK } else { StatusCode::ACCEPTED }, Json(job)).into_response()
}

fn changed(changed: Changed) -> Response {
    let done = changed.job.state != crate::view::State::Changing;
    (if done { StatusCode::OK } else { StatusCode::ACCEPTED }, Json(changed)).into_response()
}

/// Submit a job
///
/// It is admitted or refused at once; a refusal shows the arithmetic and what would make room.
#[utoipa::path(
    post, path = "/v1/jobs", tag = "jobs", request_body = Submit,
    responses(
        (status = 201, body = JobView, description = "Admitted"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused")
    )
)]
pub(super) async fn submit(State(server): State<App>, Body(submit): Body<Submit>) -> Result<Response, Error> {
    let job = server.submit(submit).await?;
    let location = format!("/v1/jobs/{}", job.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(job)).into_response())
}

/// List jobs
#[utoipa::path(get, path = "/v1/jobs", tag = "jobs", responses((status = 200, body = Vec<JobView>)))]
pub(super) async fn list(State(server): State<App>) -> Json<Vec<JobView>> {
    Json(server.jobs.list().iter().map(|job| JobView::of(job).short()).collect())
}

/// Show a job
#[utoipa::path(
    get, path = "/v1/jobs/{job}", tag = "jobs", params(("job" = String, Path)),
    responses((status = 200, body = JobView), (status = 404, body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn get(State(server): State<App>, Named(job): Named) -> Result<Json<JobView>, Error> {
    Ok(Json(JobView::of(&*server.jobs.find(&job)?)))
}

/// Forget a job that is over, with its checkpoints
#[utoipa::path(
    delete, path = "/v1/jobs/{job}", tag = "jobs", params(("job" = String, Path)),
    responses(
        (status = 204, description = "Forgotten"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused")
    )
)]
pub(super) async fn forget(State(server): State<App>, Named(job): Named) -> Result<StatusCode, Error> {
    let job = server.jobs.find(&job)?;
    server.forget(&job).map(|()| StatusCode::NO_CONTENT)
}

/// The plan of a job, with everything resolved
#[utoipa::path(
    get, path = "/v1/jobs/{job}/plan", tag = "jobs", params(("job" = String, Path)),
    responses((status = 200, description = "As `tidemill plan --json`"), (status = 404, body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn plan(State(server): State<App>, Named(job): Named) -> Result<Json<serde_json::Value>, Error> {
    Ok(Json(server.jobs.find(&job)?.planned()?.plan))
}

/// How a job is explained.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Explain {
    /// `text` (the default) or `mermaid`.
    format: Option<Form>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Form {
    #[default]
    Text,
    Mermaid,
}

/// The plan of a job for people
#[utoipa::path(
    get, path = "/v1/jobs/{job}/explain", tag = "jobs", params(("job" = String, Path), Explain),
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = 404, body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn explain(State(server): State<App>, Named(job): Named, Params(how): Params<Explain>) -> Result<String, Error> {
    let planned = server.jobs.find(&job)?.planned()?;
    Ok(match how.format.unwrap_or_default() {
        Form::Text => planned.text,
        Form::Mermaid => planned.mermaid,
    })
}

/// What the operators of a job wait for
///
/// Watermarks, splits, open windows, timers and counts, as they are, or were when it ended. `tidemill explain` reads them.
#[utoipa::path(
    get, path = "/v1/jobs/{job}/facts", tag = "jobs", params(("job" = String, Path)),
    responses(
        (status = 200, description = "As `facts` of `tidemill explain watermark --json`"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused")
    )
)]
pub(super) async fn facts(State(server): State<App>, Named(job): Named) -> Result<Json<serde_json::Value>, Error> {
    let facts = crate::explain::facts(&*server.jobs.find(&job)?).await?;
    serde_json::to_value(facts).map(Json).map_err(|_| Error::new(Code::Internal, "the facts of the job cannot be written"))
}

/// Make a savepoint while the job goes on
#[utoipa::path(
    post, path = "/v1/jobs/{job}/savepoint", tag = "jobs", params(("job" = String, Path)), request_body = Savepoint,
    responses(
        (status = 200, body = Made),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused")
    )
)]
pub(super) async fn savepoint(State(server): State<App>, Named(job): Named, Body(wanted): Body<Savepoint>) -> Result<Json<Made>, Error> {
    let job = server.jobs.find(&job)?;
    server.savepoint(&job, wanted).await.map(Json)
}

/// End a job in order
#[utoipa::path(
    post, path = "/v1/jobs/{job}/stop", tag = "jobs", params(("job" = String, Path), Wait), request_body = Stop,
    responses(
        (status = 200, body = JobView, description = "It has ended"),
        (status = 202, body = JobView, description = "It ends"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused")
    )
)]
pub(super) async fn stop(
    State(server): State<App>,
    Named(job): Named,
    Params(wait): Params<Wait>,
    Body(stop): Body<Stop>,
) -> Result<Response, Error> {
    let job = server.jobs.find(&job)?;
    let view = server.stop(&job, stop, wait.time()).await?;
    let done = view.state.is_over();
    Ok(answered(view, done))
}

/// End a job at once
///
/// What it had not committed is not shown. Its checkpoints stay until it is forgotten.
#[utoipa::path(
    post, path = "/v1/jobs/{job}/cancel", tag = "jobs", params(("job" = String, Path), Wait),
    responses(
        (status = 200, body = JobView, description = "It has ended"),
        (status = 202, body = JobView, description = "It ends"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused")
    )
)]
pub(super) async fn cancel(State(server): State<App>, Named(job): Named, Params(wait): Params<Wait>) -> Result<Response, Error> {
    let job = server.jobs.find(&job)?;
    let view = server.cancel(&job, wait.time()).await?;
    let done = view.state.is_over();
    Ok(answered(view, done))
}

/// Go on with another parallelism
///
/// By way of a checkpoint: the job stops in order and goes on from where it stood.
#[utoipa::path(
    post, path = "/v1/jobs/{job}/rescale", tag = "jobs", params(("job" = String, Path), Wait), request_body = Rescale,
    responses(
        (status = 200, body = Changed, description = "It runs"),
        (status = 202, body = Changed, description = "It changes"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused")
    )
)]
pub(super) async fn rescale(
    State(server): State<App>,
    Named(job): Named,
    Params(wait): Params<Wait>,
    Body(rescale): Body<Rescale>,
) -> Result<Response, Error> {
    let job = server.jobs.find(&job)?;
    server.rescale(&job, rescale, wait.time()).await.map(changed)
}

/// Go on with another component, other arguments or bindings
///
/// The plans are compared first, and what does not fit is refused with the difference. When the new version fails in its probation
/// the old one comes back by itself.
#[utoipa::path(
    post, path = "/v1/jobs/{job}/swap", tag = "jobs", params(("job" = String, Path), Wait), request_body = Swap,
    responses(
        (status = 200, body = Changed, description = "It runs"),
        (status = 202, body = Changed, description = "It changes"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused")
    )
)]
pub(super) async fn swap(
    State(server): State<App>,
    Named(job): Named,
    Params(wait): Params<Wait>,
    Body(swap): Body<Swap>,
) -> Result<Response, Error> {
    let job = server.jobs.find(&job)?;
    server.swap(&job, swap, wait.time()).await.map(changed)
}

/// Go back to a version before, with today's state
#[utoipa::path(
    post, path = "/v1/jobs/{job}/rollback", tag = "jobs", params(("job" = String, Path), Wait), request_body = Rollback,
    responses(
        (status = 200, body = Changed, description = "It runs"),
        (status = 202, body = Changed, description = "It changes"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused")
    )
)]
pub(super) async fn rollback(
    State(server): State<App>,
    Named(job): Named,
    Params(wait): Params<Wait>,
    Body(rollback): Body<Rollback>,
) -> Result<Response, Error> {
    let job = server.jobs.find(&job)?;
    server.rollback(&job, rollback, wait.time()).await.map(changed)
}
