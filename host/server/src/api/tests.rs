//! Every route against what it has to refuse, and every limit of requests at its edge.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tempfile::TempDir;
use tokio_stream::wrappers::ReceiverStream;
use tower::ServiceExt as _;

use super::guard::{Guards, Token};
use super::{guarded, openapi};
use crate::examined::Component;
use crate::id::Digest;
use crate::limits::{BODY_IDLE_WAIT, JSON_BYTES_MAX, REQUESTS_MAX, STREAMS_MAX, UPLOAD_BYTES_MAX, UPLOADS_MAX};
use crate::operate::Server;
use crate::{Options, testing};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

struct Case {
    folder: TempDir,
    server: Arc<Server>,
    app: Router,
}

impl Case {
    fn with(token: bool, change: impl FnOnce(Options) -> Options, body_wait: Duration) -> Case {
        let folder = tempfile::tempdir().unwrap();
        let options = change(Options { data_dir: folder.path().to_path_buf(), ..testing::options() });
        options.places().all().iter().for_each(|folder| std::fs::create_dir_all(folder).unwrap());
        let server = Arc::new(Server { body_wait, ..Server::open(options).unwrap() });
        let file = folder.path().join("token");
        std::fs::write(&file, TOKEN).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let token = token.then(|| Token::read(&file).unwrap().0);
        let app = guarded(Arc::new(Guards::new(Arc::clone(&server), token)));
        Case { folder, server, app }
    }

    fn new() -> Case {
        Case::with(false, |options| options, BODY_IDLE_WAIT)
    }

    async fn ask(&self, request: Request<Body>) -> Response<Body> {
        self.app.clone().oneshot(request).await.unwrap()
    }

    /// The status and code of a refusal, whose form is checked.
    async fn refused(&self, request: Request<Body>) -> (u16, String) {
        let what = format!("{} {}", request.method(), request.uri());
        let response = self.ask(request).await;
        let kind = response.headers().get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        assert_eq!(kind.as_deref(), Some("application/problem+json"), "{what}: {status}");
        assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["status"], status);
        (status, problem["code"].as_str().unwrap().to_owned())
    }

    fn incoming(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("incoming")).unwrap().count()
    }

    fn stored(&self) -> Digest {
        let digest: Digest = "ab".repeat(32).parse().unwrap();
        let file = self.folder.path().join("new");
        std::fs::write(&file, "").unwrap();
        let component = Component {
            sha256: digest.to_string(),
            bytes: 0,
            compiled_bytes: 0,
            contract: "0.1.0".to_owned(),
            imports: vec![],
            exports: vec![],
            capabilities: vec![],
        };
        self.server.components.add(&digest, &file, component).unwrap();
        digest
    }
}

fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header(header::HOST, "localhost:8081")
}

fn upload() -> axum::http::request::Builder {
    request("POST", "/v1/components").header(header::CONTENT_TYPE, "application/wasm")
}

fn json(path: &str, body: impl Into<Body>) -> Request<Body> {
    request("POST", path).header(header::CONTENT_TYPE, "application/json").body(body.into()).unwrap()
}

/// Every route of the document, with the words of its path filled in.
fn all() -> Vec<(String, String)> {
    let document = serde_json::to_value(openapi()).unwrap();
    let mut routes = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.replace("{job}", "counts").replace("{digest}", "abcdef");
        for method in methods.as_object().unwrap().keys() {
            routes.push((method.to_uppercase(), path.clone()));
        }
    }
    assert!(routes.len() >= 18, "{routes:?}");
    routes
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_wants_the_token_our_name_and_no_other_page() {
    let case = Case::with(true, |options| options, BODY_IDLE_WAIT);
    for (method, path) in all() {
        let bare = || request(&method, &path);
        let with = || bare().header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
        let of = |builder: axum::http::request::Builder| builder.body(Body::empty()).unwrap();
        if path != "/healthz" {
            assert_eq!(case.refused(of(bare())).await, (401, "unauthorized".to_owned()), "{method} {path}");
            let wrong = bare().header(header::AUTHORIZATION, format!("Bearer {TOKEN}0"));
            assert_eq!(case.refused(of(wrong)).await, (401, "unauthorized".to_owned()), "{method} {path}");
        }
        let elsewhere = Request::builder().method(method.as_str()).uri(&path).header(header::HOST, "evil.example");
        let elsewhere = elsewhere.header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
        assert_eq!(case.refused(of(elsewhere)).await, (403, "host-refused".to_owned()), "{method} {path}");
        let page = with().header(header::ORIGIN, "http://evil.example");
        assert_eq!(case.refused(of(page)).await, (403, "origin-refused".to_owned()), "{method} {path}");
        let page = with().header("sec-fetch-site", "cross-site");
        assert_eq!(case.refused(of(page)).await, (403, "origin-refused".to_owned()), "{method} {path}");
        if path != "/v1/events" {
            let good = case.ask(of(with().header(header::ORIGIN, "http://localhost:8081"))).await;
            assert!(good.status() != 401 && good.status() != 403, "{method} {path}: {}", good.status());
        }
    }
}

/// Whether a route reads a body, by the document.
fn takes_body(method: &str, path: &str) -> bool {
    let document = serde_json::to_value(openapi()).unwrap();
    document["paths"][path][method.to_lowercase()].get("requestBody").is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_refuses_bodies_without_end_and_names_that_leave_their_folder() {
    let case = Case::with(false, |options| options, Duration::from_millis(50));
    let document = serde_json::to_value(openapi()).unwrap();
    let mut read = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
            let what = format!("{method} {path}");
            let filled = path.replace("{job}", "counts").replace("{digest}", "abcdef");
            let kind = if path == "/v1/components" { "application/wasm" } else { "application/json" };
            let with = |body: Body| request(&method, &filled).header(header::CONTENT_TYPE, kind).body(body).unwrap();
            if takes_body(&method, path) {
                read += 1;
                let most = if path == "/v1/components" { UPLOAD_BYTES_MAX } else { JSON_BYTES_MAX };
                assert_eq!(case.refused(with(Body::from(vec![b' '; most + 1]))).await, (413, "too-large".to_owned()), "{what}");
                assert_eq!(case.refused(with(never())).await, (408, "timed-out".to_owned()), "{what}");
            } else {
                let answer = tokio::time::timeout(Duration::from_secs(10), case.ask(with(never()))).await;
                assert!(answer.unwrap_or_else(|_| panic!("{what} waits for a body that it does not read")).status() != 500, "{what}");
            }
            for name in ["..%2f..%2fetc", "%2e%2e", "a%00b", "..%5c.."].into_iter().filter(|_| path.contains('{')) {
                let filled = path.replace("{job}", name).replace("{digest}", name);
                let body = if takes_body(&method, path) { Body::from("{}") } else { Body::empty() };
                let asked = request(&method, &filled).header(header::CONTENT_TYPE, kind).body(body).unwrap();
                let (status, _) = case.refused(asked).await;
                assert!([400, 404].contains(&status), "{method} {filled}: {status}");
            }
        }
    }
    assert!(read >= 6, "{read} routes read a body");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said_in_the_same_form() {
    let case = Case::new();
    let empty = |method: &str, path: &str| request(method, path).body(Body::empty()).unwrap();
    assert_eq!(case.refused(empty("GET", "/nowhere")).await, (404, "not-found".to_owned()));
    assert_eq!(case.refused(empty("PUT", "/v1/jobs")).await, (405, "method-not-allowed".to_owned()));
    assert_eq!(case.refused(empty("GET", "/v1/jobs/counts/logs?folow=true")).await.1, "bad-request");
    assert_eq!(case.refused(json("/v1/jobs", "{\"component\": 1}")).await, (400, "bad-request".to_owned()));
    assert_eq!(case.refused(json("/v1/jobs", "{\"component\": \"a\", \"nmae\": \"b\"}")).await.1, "bad-request");
    assert_eq!(case.refused(json("/v1/jobs", "{")).await.1, "bad-request");
    assert_eq!(case.refused(json("/v1/jobs", "{\"component\": \"abcdef\"}")).await.1, "component-not-found");
    for (body, code) in [
        ("{}", "bad-request"),
        (r#"{"component": "abcdef", "components": {"a": "abcdef"}}"#, "bad-request"),
        (r#"{"component": "abcdef", "wires": {"a.in": "b.out"}}"#, "bad-request"),
        (r#"{"components": {"a.b": "abcdef"}}"#, "bad-request"),
        (r#"{"components": {"a": 1}}"#, "bad-request"),
        (r#"{"components": {"a": "abcdef"}}"#, "component-not-found"),
    ] {
        assert_eq!(case.refused(json("/v1/jobs", body)).await.1, code, "{body}");
    }
    let form = request("POST", "/v1/jobs").header(header::CONTENT_TYPE, "text/plain").body(Body::from("{\"component\":\"a\"}")).unwrap();
    assert_eq!(case.refused(form).await, (415, "media-type".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_would_leave_a_folder_are_nobodys() {
    let case = Case::new();
    std::fs::write(case.folder.path().join("job.json"), "{}").unwrap();
    let names = [
        "..",
        "%2e%2e",
        "..%2f..",
        "%2e%2e%2fjob.json",
        "%2fetc%2fpasswd",
        "..%5c..",
        "a%00b",
        "%c0%ae%c0%ae",
        "con",
        "aux.json",
        ".",
        "%2e",
        "~",
        "$HOME",
        "%252e%252e%252f",
        "a%2fb",
        "j0000000000000000%2f..",
        "%e2%80%ae",
        "%0d%0aX-A:1",
        "-",
    ];
    for name in names {
        for path in
            [format!("/v1/jobs/{name}"), format!("/v1/jobs/{name}/plan"), format!("/v1/jobs/{name}/logs"), format!("/v1/components/{name}")]
        {
            let (status, _) = case.refused(request("GET", &path).body(Body::empty()).unwrap()).await;
            assert!([400, 404].contains(&status), "{path}: {status}");
        }
        let body = serde_json::json!({"component": "abcdef", "name": name});
        assert_eq!(case.refused(json("/v1/jobs", body.to_string())).await.0, if name == "con" { 404 } else { 400 }, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_taken_to_their_limit_and_not_a_byte_further() {
    let case = Case::new();
    let padded = |bytes: usize| format!("{{\"component\":\"abcdef\"{}}}", " ".repeat(bytes - 22));
    assert_eq!(padded(100).len(), 100);
    assert_eq!(case.refused(json("/v1/jobs", padded(JSON_BYTES_MAX))).await.1, "component-not-found");
    assert_eq!(case.refused(json("/v1/jobs", padded(JSON_BYTES_MAX + 1))).await, (413, "too-large".to_owned()));
    let announced = upload().header(header::CONTENT_LENGTH, UPLOAD_BYTES_MAX + 1).body(never()).unwrap();
    assert_eq!(case.refused(announced).await, (413, "too-large".to_owned()));
    // Without a length, piece by piece: the program that would examine it does not exist, so that one in full is a failure of ours.
    let pieces = |bytes: usize| {
        let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, std::convert::Infallible>>(1);
        tokio::spawn(async move {
            let mut left = bytes;
            while left > 0 {
                let piece = left.min(1 << 20);
                left -= piece;
                if sender.send(Ok(Bytes::from(vec![0; piece]))).await.is_err() {
                    return;
                }
            }
        });
        Body::from_stream(ReceiverStream::new(receiver))
    };
    assert_eq!(case.refused(upload().body(pieces(UPLOAD_BYTES_MAX)).unwrap()).await, (500, "internal".to_owned()));
    assert_eq!(case.refused(upload().body(pieces(UPLOAD_BYTES_MAX + 1)).unwrap()).await, (413, "too-large".to_owned()));
    assert_eq!(case.incoming(), 0, "nothing is left of an upload that was refused");
}

/// A body that never comes.
fn never() -> Body {
    Body::from_stream(tokio_stream::pending::<Result<Bytes, std::convert::Infallible>>())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stands_still_is_not_waited_for() {
    let case = Case::with(false, |options| options, Duration::from_millis(50));
    assert_eq!(case.refused(upload().body(never()).unwrap()).await, (408, "timed-out".to_owned()));
    assert_eq!(case.refused(json("/v1/jobs", never())).await, (408, "timed-out".to_owned()));
    assert_eq!(case.incoming(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_are_not_what_they_say_are_refused() {
    let case = Case::new();
    let html = request("POST", "/v1/components").header(header::CONTENT_TYPE, "text/html").body(Body::empty()).unwrap();
    assert_eq!(case.refused(html).await, (415, "media-type".to_owned()));
    let packed = upload().header(header::CONTENT_ENCODING, "gzip").body(Body::empty()).unwrap();
    assert_eq!(case.refused(packed).await, (415, "media-type".to_owned()));
    let other = upload().header("x-content-sha256", "0".repeat(64)).body(Body::from("abc")).unwrap();
    assert_eq!(case.refused(other).await, (422, "digest-mismatch".to_owned()));
    let cut = Body::from_stream(tokio_stream::iter([Ok(Bytes::from_static(b"\0asm")), Err(std::io::Error::other("gone"))]));
    assert_eq!(case.refused(upload().body(cut).unwrap()).await, (400, "bad-request".to_owned()));
    assert_eq!(case.incoming(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_need_not_be_sent() {
    let case = Case::new();
    let digest = case.stored();
    let again = upload().header(header::IF_NONE_MATCH, format!("\"{digest}\"")).body(never()).unwrap();
    assert_eq!(case.refused(again).await, (412, "component-exists".to_owned()));
    let nonsense = upload().header(header::IF_NONE_MATCH, "*").body(never()).unwrap();
    assert_eq!(case.refused(nonsense).await.1, "bad-request");
    let path = format!("/v1/components/{}", digest.short());
    let found = case.ask(request("GET", &path).body(Body::empty()).unwrap()).await;
    assert_eq!((found.status(), &found.headers()[header::ETAG]), (StatusCode::OK, &format!("\"{digest}\"").parse().unwrap()));
    let same = request("GET", &path).header(header::IF_NONE_MATCH, format!("\"{digest}\"")).body(Body::empty()).unwrap();
    assert_eq!(case.ask(same).await.status(), StatusCode::NOT_MODIFIED);
    let gone = case.ask(request("DELETE", &path).body(Body::empty()).unwrap()).await;
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    assert_eq!(case.refused(request("GET", &path).body(Body::empty()).unwrap()).await.1, "component-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_more_than_can_be_done_is_told_to_come_again() {
    let case = Case::new();
    let mut waiting = Vec::new();
    let busy = loop {
        // One that came when the look below had the last place was told to come again as well.
        waiting.retain(|task: &tokio::task::JoinHandle<_>| !task.is_finished());
        while waiting.len() < REQUESTS_MAX {
            waiting.push(tokio::spawn(case.app.clone().oneshot(json("/v1/jobs", never()))));
        }
        let response = case.ask(request("GET", "/healthz").body(Body::empty()).unwrap()).await;
        if response.status() == StatusCode::SERVICE_UNAVAILABLE {
            break response;
        }
        tokio::task::yield_now().await;
    };
    assert!(busy.headers().contains_key(header::RETRY_AFTER));
    waiting.into_iter().for_each(|task| task.abort());
    let uploads = case.server.uploads.try_acquire_many(UPLOADS_MAX as u32).unwrap();
    let streams = case.server.streams.clone().try_acquire_many_owned(STREAMS_MAX as u32).unwrap();
    let again = |path: &'static str| request("GET", path).body(Body::empty()).unwrap();
    while case.ask(again("/healthz")).await.status() != StatusCode::OK {
        tokio::task::yield_now().await;
    }
    assert_eq!(case.refused(upload().body(never()).unwrap()).await, (503, "too-busy".to_owned()));
    assert_eq!(case.refused(again("/v1/events")).await, (503, "too-busy".to_owned()));
    drop((uploads, streams));
    assert_eq!(case.ask(again("/v1/events")).await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_leave_a_line_and_looks_leave_none() {
    let case = Case::new();
    case.ask(request("GET", "/v1/jobs").body(Body::empty()).unwrap()).await;
    case.refused(json("/v1/jobs", "{")).await;
    let log = std::fs::read_to_string(case.folder.path().join("audit.jsonl")).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (lines[0]["method"].as_str(), lines[0]["path"].as_str(), lines[0]["status"].as_u64()),
        (Some("POST"), Some("/v1/jobs"), Some(400))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_and_the_document_are_served() {
    let case = Case::new();
    let text = |path: &'static str| {
        let asked =
            case.ask(Request::builder().method(Method::GET).uri(path).header(header::HOST, "127.0.0.1").body(Body::empty()).unwrap());
        async { String::from_utf8(asked.await.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap() }
    };
    assert!(text("/metrics").await.contains("tidemill_slots 4.0"), "{}", text("/metrics").await);
    assert!(text("/v1/openapi.json").await.contains("\"openapi\":\"3.1"));
    assert!(text("/v1/server").await.contains("\"slots\":4"));
}
