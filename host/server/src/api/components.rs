//! Routes of components. An upload goes to a file while it is hashed, is examined by a child process, and only then has a name.

use std::io::Write as _;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tokio::time::timeout;

use super::App;
use super::answer::{Named, encoded};
use crate::error::{Code, Error};
use crate::id::Digest;
use crate::limits::UPLOAD_BYTES_MAX;
use crate::operate::Server;
use crate::view::{Problem, StoredComponent};

/// Upload a component
///
/// `If-None-Match: "DIGEST"` asks for nothing to be sent that is stored already: the answer is 412 then, before the body is read.
/// `X-Content-SHA256` makes the server compare what has arrived.
#[utoipa::path(
    post, path = "/v1/components", tag = "components",
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    params(
        ("if-none-match" = Option<String>, Header, description = "Digest of what would be sent"),
        ("x-content-sha256" = Option<String>, Header, description = "Digest of what is sent")
    ),
    responses(
        (status = 201, body = StoredComponent, description = "Stored"),
        (status = 200, body = StoredComponent, description = "It was stored already"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused")
    )
)]
pub(super) async fn upload(State(server): State<App>, request: Request) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    let announced = announced(&server, &parts.headers)?;
    let place = server.uploads.try_acquire();
    let _place = place.map_err(|_| Error::new(Code::TooBusy, "other uploads are under way").hint("come again in a few seconds"))?;
    let room = announced.unwrap_or(0);
    server.components.room(room)?;
    let (file, digest, bytes) = receive(&server, body).await?;
    if let Some(expected) = header_text(&parts.headers, "x-content-sha256")
        && expected != digest.as_str()
    {
        let error = Error::new(Code::DigestMismatch, "what has arrived is not what was announced");
        return Err(error.because(format!("its SHA-256 is {digest}, not {expected}")).hint("send it again"));
    }
    if server.components.get(&digest).is_some() {
        return shown(&server, &digest).map(|stored| (StatusCode::OK, Json(stored)).into_response());
    }
    server.components.room(bytes)?;
    let component = server.children.component(file.path()).await?;
    if component.sha256 != digest.as_str() {
        return Err(Error::new(Code::Internal, "the component was examined under another digest"));
    }
    let stored = tokio::task::block_in_place(|| {
        file.as_file().sync_all()?;
        let path = file.into_temp_path().keep().map_err(|e| e.error)?;
        server.components.add(&digest, &path, component)
    });
    stored.map_err(|e| Error::internal("the component cannot be stored", &e))?;
    server.events.tell("component-stored", None, digest.as_str());
    shown(&server, &digest).map(|stored| (StatusCode::CREATED, Json(stored)).into_response())
}

/// Looks at the head of an upload, before anything of its body is taken; answers its length, where it says so.
fn announced(server: &Server, headers: &HeaderMap) -> Result<Option<u64>, Error> {
    encoded(headers)?;
    if let Some(text) = header_text(headers, header::IF_NONE_MATCH.as_str()) {
        let digest = text.trim_matches('"').trim_start_matches("sha256:").parse::<Digest>();
        let digest = digest.map_err(|e| Error::new(Code::BadRequest, "If-None-Match names no component").because(e.to_string()))?;
        if server.components.get(&digest).is_some() {
            return Err(Error::new(Code::ComponentExists, format!("the component {digest} is stored")));
        }
    }
    let kind = header_text(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    if kind != "application/wasm" {
        return Err(Error::new(Code::MediaType, format!("the body is {kind:?}, not application/wasm")));
    }
    let Some(length) = header_text(headers, header::CONTENT_LENGTH.as_str()) else { return Ok(None) };
    let length: u64 = length.parse().map_err(|_| Error::new(Code::BadRequest, "Content-Length is no number"))?;
    if length > UPLOAD_BYTES_MAX as u64 {
        return Err(too_large());
    }
    Ok(Some(length))
}

fn too_large() -> Error {
    Error::new(Code::TooLarge, format!("a component has at most {UPLOAD_BYTES_MAX} bytes")).hint("strip it, or bundle less")
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Takes a body into a file that is gone unless it is kept. Never more than a piece of it is in memory.
async fn receive(server: &Server, mut body: Body) -> Result<(NamedTempFile, Digest, u64), Error> {
    let internal = |e: &std::io::Error| Error::internal("the upload cannot be kept", e);
    let file = tempfile::Builder::new().prefix("upload-").suffix(".wasm").tempfile_in(server.options.places().incoming());
    let mut file = file.map_err(|e| internal(&e))?;
    let (mut hash, mut bytes) = (Sha256::new(), 0u64);
    loop {
        let frame = timeout(server.body_wait, body.frame()).await;
        let frame = frame.map_err(|_| Error::new(Code::TimedOut, format!("the body stood still for {} s", server.body_wait.as_secs())))?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|e| Error::new(Code::BadRequest, "the upload is cut off").because(e.to_string()))?;
        let Ok(piece) = frame.into_data() else { continue };
        bytes += piece.len() as u64;
        if bytes > UPLOAD_BYTES_MAX as u64 {
            return Err(too_large());
        }
        hash.update(&piece);
        file.write_all(&piece).map_err(|e| internal(&e))?;
    }
    Ok((file, Digest::of(&hash.finalize()), bytes))
}

fn shown(server: &Server, digest: &Digest) -> Result<StoredComponent, Error> {
    let missing = || Error::new(Code::ComponentNotFound, format!("there is no component {digest}"));
    let component = server.components.get(digest).ok_or_else(missing)?;
    Ok(StoredComponent { jobs: server.jobs.using(digest), digest: digest.clone(), component })
}

/// List components
#[utoipa::path(get, path = "/v1/components", tag = "components", responses((status = 200, body = Vec<StoredComponent>)))]
pub(super) async fn list(State(server): State<App>) -> Json<Vec<StoredComponent>> {
    Json(server.components.list().iter().filter_map(|(digest, _)| shown(&server, digest).ok()).collect())
}

/// Show a component
#[utoipa::path(
    get, path = "/v1/components/{digest}", tag = "components",
    params(
        ("digest" = String, Path, description = "Its digest, or six digits and more of it"),
        ("if-none-match" = Option<String>, Header, description = "Its entity tag: the answer has no body then")
    ),
    responses(
        (status = 200, body = StoredComponent),
        (status = 304, description = "It is stored"),
        (status = 404, body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn get(State(server): State<App>, Named(digest): Named, headers: HeaderMap) -> Result<Response, Error> {
    let digest = server.components.find(&digest)?;
    let tag = format!("\"{digest}\"");
    if header_text(&headers, header::IF_NONE_MATCH.as_str()) == Some(tag.as_str()) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    Ok(([(header::ETAG, tag)], Json(shown(&server, &digest)?)).into_response())
}

/// Delete a component that no job needs
#[utoipa::path(
    delete, path = "/v1/components/{digest}", tag = "components",
    params(("digest" = String, Path, description = "Its digest, or six digits and more of it")),
    responses(
        (status = 204, description = "Deleted"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused")
    )
)]
pub(super) async fn delete(State(server): State<App>, Named(digest): Named) -> Result<StatusCode, Error> {
    let digest = server.components.find(&digest)?;
    server.delete(&digest).map(|()| StatusCode::NO_CONTENT)
}
