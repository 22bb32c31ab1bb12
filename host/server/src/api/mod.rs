//! The HTTP API: every route, what guards all of them, and the document that describes them.

mod answer;
mod components;
mod guard;
mod health;
mod jobs;
mod streams;

pub(crate) use guard::{Guards, Peer, Token, guarded};

use std::sync::Arc;

use axum::Router;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::{Code, Error};
use crate::operate::Server;

/// What handlers are given.
type App = Arc<Server>;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Tidemill",
        description = "Upload WebAssembly components, run them as streaming jobs, change them while they run. Times are milliseconds \
                       since the epoch, sizes bytes. A refusal is `application/problem+json` with a code that never changes.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "components", description = "What jobs are made of"),
        (name = "jobs", description = "What runs"),
        (name = "server", description = "The server itself")
    )
)]
struct Document;

fn described() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(components::upload, components::list))
        .routes(routes!(components::get, components::delete))
        .routes(routes!(jobs::submit, jobs::list))
        .routes(routes!(jobs::get, jobs::forget))
        .routes(routes!(jobs::plan))
        .routes(routes!(jobs::explain))
        .routes(routes!(jobs::facts))
        .routes(routes!(jobs::savepoint))
        .routes(routes!(jobs::stop))
        .routes(routes!(jobs::cancel))
        .routes(routes!(jobs::rescale))
        .routes(routes!(jobs::swap))
        .routes(routes!(jobs::rollback))
        .routes(routes!(streams::logs))
        .routes(routes!(streams::events))
        .routes(routes!(health::server))
        .routes(routes!(health::health))
        .routes(routes!(health::metrics))
        .routes(routes!(health::document))
}

/// The OpenAPI document, as `/v1/openapi.json` serves it.
pub fn openapi() -> utoipa::openapi::OpenApi {
    described().to_openapi()
}

/// Every route, without its guards.
fn routes(server: App) -> Router {
    let (router, _) = described().split_for_parts();
    router
        .fallback(|| async { Error::new(Code::NotFound, "there is no such route").hint("GET /v1/openapi.json describes them") })
        .method_not_allowed_fallback(|| async { Error::new(Code::MethodNotAllowed, "the route does not have this method") })
        .with_state(server)
}

#[cfg(test)]
mod tests;
