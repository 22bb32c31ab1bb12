//! What happens to jobs and components, for whoever listens at the moment.

use serde::Serialize;
use tokio::sync::broadcast;
use utoipa::ToSchema;

use crate::id::{JobId, Name};
use crate::limits::EVENTS_BUFFER;

/// Something that has happened.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Event {
    /// Counts all events since the server began.
    pub(crate) number: u64,
    /// When, in milliseconds since the epoch.
    pub(crate) time_ms: u64,
    /// What, e.g. `job-running`.
    pub(crate) event: &'static str,
    /// The job it concerns.
    pub(crate) job: Option<JobId>,
    /// Its name.
    pub(crate) name: Option<Name>,
    /// In words.
    pub(crate) detail: String,
}

/// Hands events on.
pub(crate) struct Events {
    sender: broadcast::Sender<Event>,
    number: std::sync::atomic::AtomicU64,
}

impl Events {
    pub(crate) fn new() -> Events {
        Events { sender: broadcast::Sender::new(EVENTS_BUFFER), number: 0.into() }
    }

    pub(crate) fn tell(&self, event: &'static str, job: Option<(&JobId, &Name)>, detail: impl Into<String>) {
        let number = 1 + self.number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (id, name) = (job.map(|(id, _)| id.clone()), job.map(|(_, name)| name.clone()));
        let event = Event { number, time_ms: crate::process::now_ms(), event, job: id, name, detail: detail.into() };
        // Without listeners it is told to nobody.
        let _ = self.sender.send(event);
    }

    /// What comes from now on, and a first event that tells its listener so.
    pub(crate) fn listen(&self) -> (Event, broadcast::Receiver<Event>) {
        let receiver = self.sender.subscribe();
        let number = self.number.load(std::sync::atomic::Ordering::Relaxed);
        let time_ms = crate::process::now_ms();
        (Event { number, time_ms, event: "listening", job: None, name: None, detail: String::new() }, receiver)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_listener_loses_the_oldest_and_is_told_how_many() {
        let events = Events::new();
        let (_, mut slow) = events.listen();
        (0..EVENTS_BUFFER + 3).for_each(|_| events.tell("server-started", None, ""));
        assert!(matches!(slow.recv().await, Err(broadcast::error::RecvError::Lagged(3))));
        assert_eq!(slow.recv().await.unwrap().number, 4);
    }
}
