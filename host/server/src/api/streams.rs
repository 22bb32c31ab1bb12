//! Routes whose answers go on for as long as somebody listens: events and followed logs.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use utoipa::IntoParams;

use super::App;
use super::answer::{Named, Params};
use crate::error::{Code, Error};
use crate::limits::{LOG_LINES_MAX, STREAMS_MAX};
use crate::logs::{self, Filter};
use crate::operate::Server;
use crate::view::Problem;

/// Items that wait for a slow reader before the writer waits.
const STREAM_BUFFER: usize = 64;
/// How often a quiet stream says that it lives, so that a reader that has left is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Lines shown before a log is followed, unless it is said.
const LINES: usize = 100;

fn place(server: &Server) -> Result<OwnedSemaphorePermit, Error> {
    let busy = |_| Error::new(Code::TooBusy, format!("{STREAMS_MAX} streams are open")).hint("close one, or come again later");
    std::sync::Arc::clone(&server.streams).try_acquire_owned().map_err(busy)
}

/// What happens, as server-sent events
#[utoipa::path(
    get, path = "/v1/events", tag = "server",
    responses((status = 200, body = crate::events::Event, content_type = "text/event-stream", description = "One event a message"))
)]
pub(super) async fn events(State(server): State<App>) -> Result<Response, Error> {
    let place = place(&server)?;
    let (first, mut heard) = server.events.listen();
    let (sender, receiver) = mpsc::channel::<Result<Event, Infallible>>(STREAM_BUFFER);
    tokio::spawn(async move {
        let _place = place;
        let mut next = Some(first);
        loop {
            let item = match next.take() {
                Some(event) => Ok(event),
                None => tokio::select! {
                    item = heard.recv() => item,
                    () = sender.closed() => return,
                },
            };
            let event = match item {
                Ok(event) => Event::default().id(event.number.to_string()).event(event.event).json_data(&event),
                Err(RecvError::Lagged(lost)) => Event::default().event("lost").json_data(serde_json::json!({"lost": lost})),
                Err(RecvError::Closed) => return,
            };
            let Ok(event) = event else { continue };
            if sender.send(Ok(event)).await.is_err() {
                return;
            }
        }
    });
    Ok(Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// Which lines of a log.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Log {
    /// Goes on until the job is over.
    #[serde(default)]
    follow: bool,
    /// Of this operator only.
    operator: Option<String>,
    /// Of this level and above: `info`, `warn` or `error`.
    level: Option<logs::Level>,
    /// The last so many lines; 100 unless it is said.
    lines: Option<usize>,
}

/// The log of a job, a JSON object a line
#[utoipa::path(
    get, path = "/v1/jobs/{job}/logs", tag = "jobs", params(("job" = String, Path), Log),
    responses(
        (status = 200, content_type = "application/x-ndjson", description = "`time_ms`, `level`, `operator` and `message`"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused")
    )
)]
pub(super) async fn logs(State(server): State<App>, Named(job): Named, Params(log): Params<Log>) -> Result<Response, Error> {
    let job = server.jobs.find(&job)?;
    let place = place(&server)?;
    let lines = log.lines.unwrap_or(LINES).min(LOG_LINES_MAX);
    let filter = Filter { operator: log.operator, level: log.level };
    let (sender, receiver) = mpsc::channel::<Result<Bytes, Infallible>>(STREAM_BUFFER);
    tokio::spawn(async move {
        let _place = place;
        logs::send(&job, &filter, lines, log.follow, &sender).await;
    });
    let body = Body::from_stream(ReceiverStream::new(receiver));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}
