//! How answers and refusals are written, and how bodies and queries are read.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt as _, Limited};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::App;
use crate::error::{Code, Error};
use crate::limits::JSON_BYTES_MAX;
use crate::view::Problem;

/// Seconds after which a client that was told to come again may do so.
const RETRY_AFTER_S: &str = "2";

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let problem = Problem {
            kind: format!("urn:tidemill:{}", self.code.as_str()),
            title: self.message,
            status: self.code.status(),
            code: self.code,
            detail: self.causes.join("\n"),
            causes: self.causes,
            hint: self.hint,
        };
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(problem)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.code == Code::TooBusy {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
        }
        response
    }
}

/// A body of JSON. One that is empty is that of an object without fields.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, server: &App) -> Result<Body<T>, Error> {
        let (parts, body) = request.into_parts();
        encoded(&parts.headers)?;
        let collected = timeout(server.body_wait, Limited::new(body, JSON_BYTES_MAX).collect()).await;
        let collected = collected.map_err(|_| Error::new(Code::TimedOut, "the body has not come"))?;
        let bytes = match collected {
            Ok(collected) => collected.to_bytes(),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                return Err(Error::new(Code::TooLarge, format!("the body has more than {JSON_BYTES_MAX} bytes")));
            }
            Err(error) => return Err(Error::new(Code::BadRequest, "the body is cut off").because(error.to_string())),
        };
        let bytes = if bytes.is_empty() { Bytes::from_static(b"{}") } else { bytes };
        // What a form of another page can send is no JSON (docs/isolation.md, cross-site requests).
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if bytes.as_ref() != b"{}" && !kind.to_ascii_lowercase().starts_with("application/json") {
            return Err(Error::new(Code::MediaType, format!("the body is {kind:?}, not application/json")));
        }
        serde_json::from_slice(&bytes)
            .map(Body)
            .map_err(|e| Error::new(Code::BadRequest, "the body is not what the route takes").because(e.to_string()))
    }
}

/// Refuses a body that would have to be unpacked: what it would become has no limit.
pub(super) fn encoded(headers: &axum::http::HeaderMap) -> Result<(), Error> {
    match headers.get(header::CONTENT_ENCODING) {
        Some(encoding) if encoding != "identity" => Err(Error::new(Code::MediaType, "the body is encoded").hint("send it as it is")),
        _ => Ok(()),
    }
}

/// The part of a path that names something.
pub(super) struct Named(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Named, Error> {
        let wrong = |e: axum::extract::rejection::PathRejection| Error::new(Code::BadRequest, "the path is no text").because(e.body_text());
        Path::from_request_parts(parts, state).await.map(|Path(name)| Named(name)).map_err(wrong)
    }
}

/// The query of a URL.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Params<T>, Error> {
        let wrong = |e: axum::extract::rejection::QueryRejection| {
            Error::new(Code::BadRequest, "the query is not what the route takes").because(e.body_text())
        };
        Query::from_request_parts(parts, state).await.map(|Query(query)| Params(query)).map_err(wrong)
    }
}
