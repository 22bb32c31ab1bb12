//! Asking a runner to stop, and what it answers.

use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::super::{ask, is_absent};
use super::STARTING_INTERVAL;
use crate::control::{Made, Reply, Request};
use crate::error::{Code, Error};
use crate::limits::{START_WAIT, STOP_WAIT};

/// What came of asking a runner to stop.
pub(super) type Stopped = Result<Option<Made>, Error>;

/// Asks a runner to stop, also one that does not listen yet.
pub(super) async fn stop(socket: &std::path::Path, request: Request) -> Stopped {
    let begun = Instant::now();
    loop {
        match ask(socket, &request, STOP_WAIT).await {
            Ok(reply) => return made(reply),
            Err(error) if is_absent(&error) && begun.elapsed() < START_WAIT => sleep(STARTING_INTERVAL).await,
            Err(error) => return Err(Error::new(Code::Internal, "the runner has not answered").because(error.to_string())),
        }
    }
}

/// What a runner that has ended had answered to being asked to stop. One that was on its way out when it was to be asked listens no
/// more: whoever still tries would try for minutes.
pub(super) async fn answer(mut asked: JoinHandle<Stopped>, wait: Duration) -> Option<Made> {
    let answer = timeout(wait, &mut asked).await;
    asked.abort();
    answer.ok()?.ok()?.ok()?
}

/// What a runner has answered, as this server's.
pub(crate) fn made(reply: Reply) -> Stopped {
    match reply {
        Reply::Done { savepoint } => Ok(savepoint),
        Reply::Refused { message, causes, hint, .. } => Err(Error { code: Code::RunnerRefused, message, causes, hint }),
        Reply::Status(_) | Reply::Facts(_) | Reply::Exchanged { .. } | Reply::Elsewhere { .. } | Reply::Ended => {
            Err(Error::new(Code::Internal, "the runner has answered something else"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::STATUS_WAIT;

    #[tokio::test]
    async fn an_answer_that_does_not_come_is_not_waited_for() {
        let made = Made { url: "file:/a".to_owned(), checkpoint: 1, bytes: 2 };
        let own = made.clone();
        let asked = tokio::spawn(async move { Ok(Some(own)) });
        assert_eq!(answer(asked, STATUS_WAIT).await, Some(made));
        let nobody =
            tokio::spawn(async { stop(std::path::Path::new("/nowhere.sock"), Request::Stop { savepoint: None, drain: false }).await });
        assert_eq!(answer(nobody, Duration::from_millis(50)).await, None);
    }
}
