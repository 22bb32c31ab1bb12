//! Routes about the server itself.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use super::App;
use crate::error::Error;
use crate::metrics;
use crate::view::ServerView;

/// Show the server: its release, what it has and what is taken
#[utoipa::path(get, path = "/v1/server", tag = "server", responses((status = 200, body = ServerView)))]
pub(super) async fn server(State(server): State<App>) -> Json<ServerView> {
    Json(server.view())
}

/// Whether the server lives; needs no token
#[utoipa::path(get, path = "/healthz", tag = "server", responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn health() -> &'static str {
    "ok\n"
}

/// Figures for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "server", responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(server): State<App>) -> Result<impl IntoResponse, Error> {
    let text = metrics::text(&server).map_err(|e| Error::internal("the figures cannot be written", &std::io::Error::other(e)))?;
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text))
}

/// This document
#[utoipa::path(get, path = "/v1/openapi.json", tag = "server", responses((status = 200, description = "OpenAPI 3.1")))]
pub(super) async fn document() -> Json<utoipa::openapi::OpenApi> {
    Json(super::openapi())
}
