//! What the server answers when it does not do what was asked: a stable code, words for people, and what to do next.
//!
//! Codes are part of the interface; each has one status. Texts hold no path of the server and no address.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What kind of refusal it is. [`Code::status`] and [`Code::as_str`] never change for a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The request cannot be understood.
    BadRequest,
    /// No token, or a wrong one.
    Unauthorized,
    /// The `Host` is not one of this server: a page may have sent a browser here.
    HostRefused,
    /// The `Origin` is not this server.
    OriginRefused,
    /// There is no such route.
    NotFound,
    /// The route does not have this method.
    MethodNotAllowed,
    /// There is no such component.
    ComponentNotFound,
    /// There is no such job.
    JobNotFound,
    /// The body stood still, or the work took too long.
    TimedOut,
    /// A job that has not ended has this name.
    NameTaken,
    /// The job is not in a state for that.
    JobState,
    /// The job does something else that has to end first.
    JobBusy,
    /// The runner has answered that it will not, or not at all.
    RunnerRefused,
    /// Jobs use the component.
    ComponentInUse,
    /// There is no room for the job.
    NoRoom,
    /// The component is stored already (`If-None-Match`).
    ComponentExists,
    /// The body is larger than allowed.
    TooLarge,
    /// The body is of another type than the route takes, or encoded.
    MediaType,
    /// The bytes are not those of the digest that came with them.
    DigestMismatch,
    /// The component cannot be used; the detail begins with the reason's own code.
    ComponentRefused,
    /// The component gives no plan that can run.
    PlanRefused,
    /// A binding is unknown, missing, or reaches where this server allows nothing.
    BindingRefused,
    /// A limit asked for lies above the server's.
    LimitRefused,
    /// The new version does not fit the state of the old one.
    SwapRefused,
    /// The server has all it can do; come again.
    TooBusy,
    /// The store of components is full.
    StoreFull,
    /// A failure of the server itself.
    Internal,
}

impl Code {
    /// Its HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Code::BadRequest => 400,
            Code::Unauthorized => 401,
            Code::HostRefused | Code::OriginRefused => 403,
            Code::NotFound | Code::ComponentNotFound | Code::JobNotFound => 404,
            Code::MethodNotAllowed => 405,
            Code::TimedOut => 408,
            Code::NameTaken | Code::JobState | Code::JobBusy | Code::RunnerRefused | Code::ComponentInUse | Code::NoRoom => 409,
            Code::ComponentExists => 412,
            Code::TooLarge => 413,
            Code::MediaType => 415,
            Code::DigestMismatch
            | Code::ComponentRefused
            | Code::PlanRefused
            | Code::BindingRefused
            | Code::LimitRefused
            | Code::SwapRefused => 422,
            Code::TooBusy => 503,
            Code::StoreFull => 507,
            Code::Internal => 500,
        }
    }

    /// As it stands in an answer.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::BadRequest => "bad-request",
            Code::Unauthorized => "unauthorized",
            Code::HostRefused => "host-refused",
            Code::OriginRefused => "origin-refused",
            Code::NotFound => "not-found",
            Code::MethodNotAllowed => "method-not-allowed",
            Code::ComponentNotFound => "component-not-found",
            Code::JobNotFound => "job-not-found",
            Code::TimedOut => "timed-out",
            Code::NameTaken => "name-taken",
            Code::JobState => "job-state",
            Code::JobBusy => "job-busy",
            Code::RunnerRefused => "runner-refused",
            Code::ComponentInUse => "component-in-use",
            Code::NoRoom => "no-room",
            Code::ComponentExists => "component-exists",
            Code::TooLarge => "too-large",
            Code::MediaType => "media-type",
            Code::DigestMismatch => "digest-mismatch",
            Code::ComponentRefused => "component-refused",
            Code::PlanRefused => "plan-refused",
            Code::BindingRefused => "binding-refused",
            Code::LimitRefused => "limit-refused",
            Code::SwapRefused => "swap-refused",
            Code::TooBusy => "too-busy",
            Code::StoreFull => "store-full",
            Code::Internal => "internal",
        }
    }
}

/// A refusal or a failure. See the module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What kind.
    pub code: Code,
    /// What went wrong, in a clause.
    pub message: String,
    /// Why, from the outermost to the root.
    pub causes: Vec<String>,
    /// What to do next.
    pub hint: Option<String>,
}

impl Error {
    /// Without causes and hint.
    pub fn new(code: Code, message: impl Into<String>) -> Error {
        Error { code, message: message.into(), causes: Vec::new(), hint: None }
    }

    /// Adds why.
    pub fn because(mut self, cause: impl Into<String>) -> Error {
        self.causes.push(cause.into());
        self
    }

    /// Adds what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    /// The disk or the system has failed the server. The cause goes to whoever runs it, not to the client.
    pub(crate) fn internal(what: &str, cause: &std::io::Error) -> Error {
        tell(&format!("{what}: {cause}"));
        Error::new(Code::Internal, what).hint("the messages of the server say why")
    }

    /// There is no such job.
    pub(crate) fn no_job(job: &str) -> Error {
        Error::new(Code::JobNotFound, format!("there is no job {job:?}")).hint("`tidemill list` (GET /v1/jobs) lists them")
    }
}

/// Tells whoever runs the server.
pub(crate) fn tell(text: &str) {
    use std::io::Write as _;
    // Standard error may be gone; nobody is left to tell.
    let _ = writeln!(std::io::stderr(), "tidemill serve: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_written_as_it_is_serialized() {
        for code in [Code::BadRequest, Code::ComponentExists, Code::NoRoom, Code::Internal, Code::MethodNotAllowed, Code::TooBusy] {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }
}
