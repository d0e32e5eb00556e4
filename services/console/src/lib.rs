//! The first console: login, fleet, one resource, requests, audit. It decides nothing and stores nothing:
//! each page is made from the same gRPC API that everybody uses, with the person's own token.
//!
//! Architecture Invariant: no page reads a database or the log. What a person may not do through the
//! API, the console cannot do either.

mod api;
mod app;
mod assets;
mod error;
mod live;
mod login;
mod pages;
mod proxy;
mod report;
mod session;
mod templates;
mod trend;

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, header},
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use muster_runtime::{Context, Service};
use tower_http::compression::CompressionLayer;

/// What every page needs.
pub(crate) struct Console {
    pub(crate) context: Context,
    pub(crate) api: api::Api,
    pub(crate) sessions: session::Sessions,
    pub(crate) templates: templates::Templates,
    pub(crate) login: login::Login,
}

#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    #[error("the console's pages are broken: {0}")]
    Templates(#[from] minijinja::Error),
    #[error("the API address '{0}' is not usable: set server.public_url to how this process is reached")]
    ApiAddress(String),
    #[error("no login is configured: auth.issuers needs one entry with a client_id")]
    NoIssuer,
    #[error("the HTTP client cannot be built: {0}")]
    Http(#[from] reqwest::Error),
}

/// The console's routes.
pub async fn service(context: &Context) -> Result<Service, ConsoleError> {
    let console = Arc::new(Console {
        api: api::Api::new(context)?,
        sessions: session::Sessions::default(),
        templates: templates::Templates::new(context.clock.clone())?,
        login: login::Login::new(context)?,
        context: context.clone(),
    });
    let routes = Router::new()
        .route("/", get(pages::home))
        .route("/login", get(login::begin))
        .route("/callback", get(login::finish))
        .route("/logout", post(login::logout))
        .route("/session", get(app::session))
        .route("/t/{tenant}", get(pages::fleet))
        .route("/t/{tenant}/live", get(live::stream))
        .route("/t/{tenant}/resources/{name}", get(pages::resource))
        .route("/t/{tenant}/requests", get(pages::requests).post(pages::open_request))
        .route("/t/{tenant}/requests/{id}", get(pages::request))
        .route("/t/{tenant}/requests/{id}/report", get(report::page))
        .route("/t/{tenant}/requests/{id}/{action}", post(pages::act))
        .route("/t/{tenant}/audit", get(pages::audit))
        .route("/t/{tenant}/plans", get(app::page))
        .route("/t/{tenant}/plans/{name}", get(app::page))
        .route("/assets/{name}", get(app::asset))
        .layer(CompressionLayer::new())
        .route("/rpc/{service}/{method}", post(proxy::forward))
        .with_state(console)
        .layer(middleware::from_fn(protect));
    Ok(Service::new("console").http(routes))
}

/// Nothing from elsewhere runs, frames or receives these pages.
async fn protect(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    // The run report has a narrower one of its own.
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
    );
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
