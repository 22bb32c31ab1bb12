//! The client of a server: which one, one request, and what its refusals become on the command line.

pub(crate) mod contexts;
pub(crate) mod table;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemill_server::view::{JobView, Problem};
use ureq::http::{Method, Request, Response, Uri};
use ureq::{Agent, Body};

use crate::fault::{Fault, Outcome};
use contexts::Context;

/// Where a server listens unless somebody says otherwise.
pub(crate) const DEFAULT: &str = "http://127.0.0.1:8081";
/// How long a connection may take.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// How long an answer may take to begin: a server waits for a stop for less.
const ANSWER_WAIT: Duration = Duration::from_secs(180);
/// How long a server waits for an operation before it shows the job as it is; then it is asked again.
pub(crate) const OPERATION_WAIT: Duration = Duration::from_secs(60);
/// Bytes of an answer at most, as of a plan.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Which server.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServerArgs {
    /// URL of the server, or the name of a context [default: the context in use, else http://127.0.0.1:8081]
    #[arg(long, value_name = "URL|CONTEXT", env = "TIDEMILL_SERVER")]
    pub(crate) server: Option<String>,
    /// A file that holds the token; TIDEMILL_TOKEN may hold the token itself
    #[arg(long, value_name = "FILE", env = "TIDEMILL_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// A server that can be asked.
pub(crate) struct Client {
    agent: Agent,
    url: String,
    token: Option<String>,
}

impl Client {
    /// The server that flags, environment and contexts mean.
    ///
    /// # Errors
    /// A context that there is not, a URL that is none, a token that cannot be read.
    pub(crate) fn new(args: &ServerArgs) -> Outcome<Client> {
        let Context { url, token_file } = contexts::chosen(args.server.as_deref())?;
        let token_file = args.token_file.clone().or(token_file);
        let token = match std::env::var("TIDEMILL_TOKEN") {
            Ok(token) if !token.trim().is_empty() => Some(token.trim().to_owned()),
            _ => token_file.as_deref().map(read_token).transpose()?,
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_WAIT))
            .timeout_recv_response(Some(ANSWER_WAIT))
            .user_agent(concat!("tidemill/", env!("CARGO_PKG_VERSION")));
        Ok(Client { agent: config.build().into(), url: checked(&url)?, token })
    }

    /// Asks for something.
    ///
    /// # Errors
    /// No server, or its refusal.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Outcome<T> {
        self.json(self.run(self.request(Method::GET, path), ())?)
    }

    /// As [`Client::get`]; none where there is no such thing.
    pub(crate) fn find<T: DeserializeOwned>(&self, path: &str) -> Outcome<Option<T>> {
        let response = self.run(self.request(Method::GET, path), ())?;
        if response.status() == 404 { Ok(None) } else { self.json(response).map(Some) }
    }

    /// Asks for a text.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(crate) fn text(&self, path: &str) -> Outcome<String> {
        let mut text = String::new();
        let reader = &mut self.stream(path)?;
        reader.take(ANSWER_BYTES_MAX).read_to_string(&mut text).map_err(|e| self.lost(&e))?;
        Ok(text)
    }

    /// An answer as it comes.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(crate) fn stream(&self, path: &str) -> Outcome<impl Read + use<>> {
        let response = self.good(self.run(self.request(Method::GET, path), ())?)?;
        Ok(response.into_body().into_with_config().limit(u64::MAX).reader())
    }

    /// Asks for something to be done.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(crate) fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Outcome<T> {
        let bytes = serde_json::to_vec(body).map_err(|e| Fault::failed("the request cannot be written").because(&e))?;
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        self.json(self.run(request, bytes)?)
    }

    /// Sends a file.
    ///
    /// # Errors
    /// As [`Client::get`], and a file that cannot be read.
    pub(crate) fn upload<T: DeserializeOwned>(&self, path: &str, file: &Path, digest: &str) -> Outcome<T> {
        let open = std::fs::File::open(file).map_err(|e| Fault::refused(format!("cannot read {}", file.display())).because(&e))?;
        let request = self.request(Method::POST, path).header("content-type", "application/wasm").header("x-content-sha256", digest);
        self.json(self.run(request, open)?)
    }

    /// Asks for something to be deleted.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(crate) fn delete(&self, path: &str) -> Outcome<()> {
        self.good(self.run(self.request(Method::DELETE, path), ())?).map(|_| ())
    }

    fn request(&self, method: Method, path: &str) -> ureq::http::request::Builder {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    fn run(&self, request: ureq::http::request::Builder, body: impl ureq::AsSendBody) -> Outcome<Response<Body>> {
        let request = request.body(body).map_err(|e| Fault::usage("the request cannot be made of these words").because(&e))?;
        self.agent.run(request).map_err(|e| {
            let fault = Fault::refused(format!("no server answers at {}", self.url)).because(&e);
            let fault = fault.hint("`tidemill serve` starts one; --server URL names another");
            if is_absent(&e) { fault.unreachable() } else { fault }
        })
    }

    fn json<T: DeserializeOwned>(&self, response: Response<Body>) -> Outcome<T> {
        let mut body = self.good(response)?.into_body();
        let read = body.with_config().limit(ANSWER_BYTES_MAX).read_json();
        read.map_err(|e| Fault::failed(format!("{} has answered what this release does not understand", self.url)).because(&e))
    }

    /// The answer, unless it is a refusal.
    fn good(&self, mut response: Response<Body>) -> Outcome<Response<Body>> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        match response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_json::<Problem>() {
            Ok(problem) => Err(refused(problem)),
            Err(_) => Err(Fault::failed(format!("{} has answered {status}", self.url)).hint("is it a Tidemill server?")),
        }
    }

    fn lost(&self, error: &std::io::Error) -> Fault {
        Fault::failed(format!("the answer of {} is cut off", self.url)).because(error)
    }

    /// Waits for the end of what was begun: asks until the job is in a state that will do.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(crate) fn wait(&self, mut job: JobView, will_do: impl Fn(&JobView) -> bool) -> Outcome<JobView> {
        while !will_do(&job) {
            std::thread::sleep(POLL_INTERVAL);
            job = self.get(&format!("/v1/jobs/{}", job.id))?;
        }
        Ok(job)
    }
}

/// Whether nobody listens there.
fn is_absent(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::ConnectionFailed | ureq::Error::HostNotFound => true,
        ureq::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        _ => false,
    }
}

/// How often a job is asked for that an operation has not brought where it should be.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The words of a server. A failure of its own is no refusal.
fn refused(problem: Problem) -> Fault {
    let message = format!("{} ({})", problem.title, problem.code.as_str());
    let fault = if problem.status >= 500 { Fault::failed(message) } else { Fault::refused(message) };
    problem.causes.into_iter().fold(fault, Fault::cause).maybe_hint(problem.hint)
}

fn read_token(path: &Path) -> Outcome<String> {
    let text =
        std::fs::read_to_string(path).map_err(|e| Fault::refused(format!("cannot read the token in {}", path.display())).because(&e))?;
    Ok(text.trim().to_owned())
}

/// A URL without a path. Encryption is what stands in front of a server, a proxy or a tunnel.
pub(crate) fn checked(url: &str) -> Outcome<String> {
    let wrong = |why: &str| Fault::usage(format!("--server {url}: {why}")).hint(format!("write e.g. {DEFAULT}"));
    let uri: Uri = url.trim_end_matches('/').parse().map_err(|e| wrong("it is no URL").because(&e))?;
    match (uri.scheme_str(), uri.authority(), uri.path()) {
        (Some("http"), Some(authority), "/" | "") => Ok(format!("http://{authority}")),
        (Some("https"), _, _) => Err(wrong("this release speaks http only: reach a server behind TLS through a tunnel, e.g. ssh -L")),
        _ => Err(wrong("it is no context, and no URL of a server")),
    }
}

/// A word of the command line as a part of a path.
pub(crate) fn part(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_url_without_a_path() {
        assert_eq!(checked("http://localhost:8081/").unwrap(), "http://localhost:8081");
        assert_eq!(checked("http://[::1]:9").unwrap(), "http://[::1]:9");
        for url in ["localhost:8081", "http://a/b", "ftp://a", "", "prod"] {
            assert_eq!(checked(url).unwrap_err().exit, crate::fault::Exit::Usage, "{url}");
        }
        assert!(checked("https://a").unwrap_err().message.contains("http only"));
    }

    #[test]
    fn a_word_stays_one_part_of_a_path() {
        assert_eq!(part("counts-1"), "counts-1");
        assert_eq!(part("../a b?c#d"), "%2E%2E%2Fa%20b%3Fc%23d");
    }
}
