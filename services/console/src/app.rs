//! The console as it is built from `web/`: one page that the browser makes the views of, and its assets.

use std::sync::Arc;

use axum::{
    Json,
    extract::{OriginalUri, Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;
use serde::Serialize;

use crate::{Console, error::shown, login::person};

/// `npm run build` in `web/` writes it; it is checked in, so that building Muster needs no Node.
#[derive(RustEmbed)]
#[folder = "dist/"]
struct Dist;

/// Names of built files carry a hash of their content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// GET of any page: the frame, in which the browser makes the view that the address names.
pub(crate) async fn page(
    State(console): State<Arc<Console>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    let address = uri.path_and_query().map_or("/", |address| address.as_str());
    match person(&console, &headers, address) {
        Ok(_) => file("index.html", "no-store"),
        Err(logged_out) => shown(&console, Err(logged_out)),
    }
}

/// GET /assets/{name}
pub(crate) async fn asset(Path(name): Path<String>) -> Response {
    let hashed = name.contains('-');
    file(&format!("assets/{name}"), if hashed { FOR_EVER } else { "no-cache" })
}

fn file(name: &str, caching: &'static str) -> Response {
    let Some(found) = Dist::get(name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let kind = match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, caching)], found.data.into_owned()).into_response()
}

/// What a page must know of its session to call the API.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionFacts {
    key: String,
    /// Without a deed by hand for so long, the session is over.
    idle_limit_seconds: i64,
    ends_at: jiff::Timestamp,
    /// The server's clock, so that ages are right on a device whose clock is not.
    now: jiff::Timestamp,
}

/// GET /session
pub(crate) async fn session(State(console): State<Arc<Console>>, headers: HeaderMap) -> Response {
    match person(&console, &headers, "/") {
        Ok(session) => Json(SessionFacts {
            key: session.form_key.clone(),
            idle_limit_seconds: crate::session::MAX_IDLE.as_secs(),
            ends_at: session.ends(),
            now: console.context.clock.now(),
        })
        .into_response(),
        Err(_) => StatusCode::UNAUTHORIZED.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_console_is_part_of_the_program() {
        let page = file("index.html", "no-store");
        assert_eq!(page.status(), StatusCode::OK);
        assert_eq!(file("assets/../index.html", "no-store").status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn the_page_asks_for_nothing_that_the_content_policy_refuses() {
        let found = Dist::get("index.html").map(|file| file.data.into_owned()).unwrap_or_default();
        let html = String::from_utf8_lossy(&found);
        let tags = html.matches("<script").count();
        assert!(tags > 0 && tags == html.matches("src=\"/assets/").count(), "every script has an address: {html}");
        assert!(!html.contains("<style") && !html.contains("http://") && !html.contains("https://"), "{html}");
    }
}
