//! What every request passes, whatever its route: a place among those under way, its `Host`, its `Origin`, its token, a time limit.
//! What changes something leaves a line in the log of changes.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::routes;
use crate::audit::Entry;
use crate::error::{Code, Error};
use crate::limits::{REQUEST_WAIT, REQUESTS_MAX, UPLOAD_WAIT};
use crate::operate::Server;
use crate::process::now_ms;

/// Who is asking.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The token that requests have to bring, as its hash.
#[derive(Clone)]
pub(crate) struct Token([u8; 32]);

/// Characters of a token at least: 128 bits in hexadecimal.
const TOKEN_CHARS_MIN: usize = 32;
/// Bytes of a file of a token at most.
const TOKEN_BYTES_MAX: u64 = 4096;

impl Token {
    /// The token in a file, which is made with a new one where there is none; whether it was made.
    pub(crate) fn read(path: &Path) -> std::io::Result<(Token, bool)> {
        use std::io::{Error, ErrorKind, Read as _, Write as _};
        use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
        let wrong = |text: String| Error::new(ErrorKind::InvalidData, text);
        match std::fs::File::open(path) {
            Ok(file) => {
                let facts = file.metadata()?;
                if facts.mode() & 0o077 != 0 {
                    return Err(wrong("others may read it: chmod 600 it".to_owned()));
                }
                let mut text = String::new();
                file.take(TOKEN_BYTES_MAX).read_to_string(&mut text)?;
                match text.trim().len() >= TOKEN_CHARS_MIN {
                    true => Ok((Token::of(text.trim()), false)),
                    false => Err(wrong(format!("a token has at least {TOKEN_CHARS_MIN} characters"))),
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let mut bytes = [0u8; 32];
                std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
                let text: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
                let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
                writeln!(file, "{text}")?;
                Ok((Token::of(&text), true))
            }
            Err(error) => Err(error),
        }
    }

    fn of(text: &str) -> Token {
        Token(Sha256::digest(text).into())
    }

    fn is(&self, text: &str) -> bool {
        self.0.ct_eq(&Token::of(text).0).into()
    }
}

/// What the guards need.
pub(crate) struct Guards {
    server: Arc<Server>,
    token: Option<Token>,
    /// Names by which this server may be called, in small letters, without a port.
    hosts: Vec<String>,
    requests: Semaphore,
}

impl Guards {
    pub(crate) fn new(server: Arc<Server>, token: Option<Token>) -> Guards {
        let mut hosts: Vec<String> = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned).to_vec();
        let listen = server.options.listen.ip();
        if !listen.is_unspecified() {
            hosts.push(if listen.is_ipv6() { format!("[{listen}]") } else { listen.to_string() });
        }
        hosts.extend(server.options.hosts.iter().map(|host| host.to_ascii_lowercase()));
        Guards { server, token, hosts, requests: Semaphore::new(REQUESTS_MAX) }
    }

    /// A page that a browser shows can reach loopback under a name of its own (DNS rebinding): only our names are answered to.
    fn check_host(&self, request: &Request) -> Result<(), Error> {
        let header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let host = header.or_else(|| request.uri().authority().map(|authority| authority.as_str())).unwrap_or_default();
        if self.is_ours(host) {
            return Ok(());
        }
        Err(Error::new(Code::HostRefused, format!("this server is not called {host:?}")).hint("`tidemill serve --host NAME` adds a name"))
    }

    fn is_ours(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !port.is_empty() => name,
            _ => host,
        };
        self.hosts.contains(&name.to_ascii_lowercase())
    }

    /// Browsers say from which page a request comes; other programs say nothing.
    fn check_origin(&self, headers: &HeaderMap) -> Result<(), Error> {
        let refused = |what: String| Err(Error::new(Code::OriginRefused, what).hint("requests of other pages are not answered"));
        if let Some(origin) = headers.get(header::ORIGIN) {
            let origin = origin.to_str().unwrap_or_default();
            let ours = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")).is_some_and(|host| self.is_ours(host));
            if !ours {
                return refused(format!("the request comes from {origin:?}"));
            }
        }
        match headers.get("sec-fetch-site").and_then(|site| site.to_str().ok()) {
            None | Some("same-origin" | "none") => Ok(()),
            Some(site) => refused(format!("the request comes from a page that is {site}")),
        }
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<(), Error> {
        let Some(token) = &self.token else { return Ok(()) };
        let brought = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        if brought.is_some_and(|text| token.is(text.trim())) {
            return Ok(());
        }
        let what = if brought.is_some() { "the token is wrong" } else { "the request brings no token" };
        Err(Error::new(Code::Unauthorized, what).hint("send `Authorization: Bearer TOKEN`; the command line takes TIDEMILL_TOKEN"))
    }
}

/// All routes behind their guards.
pub(crate) fn guarded(guards: Arc<Guards>) -> Router {
    routes(Arc::clone(&guards.server)).layer(from_fn_with_state(guards, guard))
}

async fn guard(State(guards): State<Arc<Guards>>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let from = request.extensions().get::<Peer>().map_or_else(String::new, |peer| peer.0.ip().to_string());
    let token = request.headers().contains_key(header::AUTHORIZATION);
    let mut response = pass(&guards, request, next).await.unwrap_or_else(IntoResponse::into_response);
    harden(response.headers_mut());
    if !method.is_safe() {
        let (method, path, status) = (method.as_str(), path.as_str(), response.status().as_u16());
        guards.server.audit.write(&Entry { time_ms: now_ms(), from: &from, token, method, path, status });
    }
    response
}

async fn pass(guards: &Guards, request: Request, next: Next) -> Result<Response, Error> {
    let busy = |_| Error::new(Code::TooBusy, format!("{REQUESTS_MAX} requests are under way")).hint("come again in a few seconds");
    let _place = guards.requests.try_acquire().map_err(busy)?;
    guards.check_host(&request)?;
    guards.check_origin(request.headers())?;
    // Whoever asks only whether the server lives needs no secret for that.
    if request.uri().path() != "/healthz" {
        guards.check_token(request.headers())?;
    }
    let is_upload = request.method() == Method::POST && request.uri().path() == "/v1/components";
    let wait = if is_upload { UPLOAD_WAIT } else { REQUEST_WAIT };
    let slow = |_| Error::new(Code::TimedOut, format!("the answer took more than {} s", wait.as_secs()));
    timeout(wait, next.run(request)).await.map_err(slow)
}

/// What browsers are told to do with answers: run nothing of them, guess no types, show them in no frame.
fn harden(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(Token::read(&path).unwrap().1);
        let text = std::fs::read_to_string(&path).unwrap();
        let (token, made) = Token::read(&path).unwrap();
        assert!(!made && token.is(text.trim()) && !token.is("") && !token.is(&text));
    }

    #[test]
    fn a_token_that_others_may_read_or_guess_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "x".repeat(TOKEN_CHARS_MIN)).unwrap();
        let mode = |mode| std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        mode(0o644);
        assert!(Token::read(&path).err().unwrap().to_string().contains("chmod 600"));
        mode(0o600);
        assert!(Token::read(&path).is_ok());
        std::fs::write(&path, "x".repeat(TOKEN_CHARS_MIN - 1)).unwrap();
        assert!(Token::read(&path).err().unwrap().to_string().contains("at least 32 characters"));
    }
}
