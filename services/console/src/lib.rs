//! The console: it decides nothing and stores nothing. Its pages are made in the browser (`web/`) from the same gRPC API
//! that everybody uses, with the person's own token, which stays here.
//!
//! Architecture Invariant: no page reads a database or the log. What a person may not do through the
//! API, the console cannot do either.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod api;
mod app;
mod error;
mod login;
mod manifest;
mod packed;
mod proxy;
mod report;
mod session;
mod unknown;

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

pub use manifest::WriteManifest;

/// What every page needs.
pub(crate) struct Console {
    pub(crate) context: Context,
    pub(crate) api: api::Api,
    pub(crate) sessions: session::Sessions,
    pub(crate) problem_page: minijinja::Environment<'static>,
    pub(crate) login: login::Login,
    pub(crate) write_manifest: WriteManifest,
}

#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    #[error("the console's page for problems is broken: {0}")]
    Templates(#[from] minijinja::Error),
    #[error("the API address '{0}' is not usable: set server.public_url to how this process is reached")]
    ApiAddress(String),
    #[error("no login is configured: auth.issuers needs one entry with a client_id")]
    NoIssuer,
    #[error("the HTTP client cannot be built: {0}")]
    Http(#[from] reqwest::Error),
}

/// The console's routes. `write_manifest` is the planner's: services meet in the program that names them all.
pub async fn service(context: &Context, write_manifest: WriteManifest) -> Result<Service, ConsoleError> {
    let console = Arc::new(Console {
        api: api::Api::new(context)?,
        sessions: session::Sessions::default(),
        problem_page: error::problem_page()?,
        login: login::Login::new(context)?,
        write_manifest,
        context: context.clone(),
    });
    // Beside the start of everything else: the first visitor finds it done.
    tokio::task::spawn_blocking(packed::pack);
    let pages = [
        "/",
        "/everywhere",
        "/t/{tenant}",
        "/t/{tenant}/resources/{name}",
        "/t/{tenant}/requests",
        "/t/{tenant}/requests/{id}",
        "/t/{tenant}/requests/{id}/story",
        "/t/{tenant}/plans",
        "/t/{tenant}/plans/{name}",
        "/t/{tenant}/alerts",
        "/t/{tenant}/messages",
        "/t/{tenant}/schedules",
        "/t/{tenant}/schedules/{name}",
        "/t/{tenant}/delegations",
        "/t/{tenant}/settings",
        "/t/{tenant}/settings/{part}",
        "/t/{tenant}/settings/{kind}/{name}",
        "/t/{tenant}/audit",
        "/t/{tenant}/gaps",
        "/t/{tenant}/evidence",
        "/intent/{token}",
    ];
    let pages = pages.into_iter().fold(Router::new(), |routes, address| routes.route(address, get(app::page)));
    let routes = pages
        .route("/login", get(login::begin))
        .route("/callback", get(login::finish))
        .route("/logout", post(login::logout))
        .route("/logged-out", get(error::logged_out))
        .route("/session", get(app::session))
        .route("/t/{tenant}/requests/{id}/report", get(report::page))
        .route("/t/{tenant}/documents/{kind}/{name}", get(manifest::file))
        .route("/assets/{name}", get(app::asset))
        .fallback(get(unknown::page).fallback(unknown::bare))
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
    // Addresses can carry the link of a message: no other site learns where somebody comes from.
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
