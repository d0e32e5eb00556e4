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

use crate::{Console, error::shown, login::person, packed};

/// `npm run build` in `web/` writes it; it is checked in, so that building Muster needs no Node.
#[derive(RustEmbed)]
#[folder = "dist/"]
pub(crate) struct Dist;

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
        Ok(_) => frame(),
        Err(logged_out) => shown(&console, Err(logged_out)),
    }
}

/// What the browser makes every view in.
pub(crate) fn frame() -> Response {
    file("index.html", "no-store")
}

/// GET /assets/{name}
pub(crate) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let caching = if name.contains('-') { FOR_EVER } else { "no-cache" };
    let name = format!("assets/{name}");
    let Some(packed) = packed::for_browser(&name, &headers) else {
        return file(&name, caching);
    };
    let sent = [
        (header::CONTENT_TYPE, kind_of(&name)),
        (header::CACHE_CONTROL, caching),
        (header::CONTENT_ENCODING, "gzip"),
        (header::VARY, "accept-encoding"),
    ];
    (sent, packed).into_response()
}

fn file(name: &str, caching: &'static str) -> Response {
    let Some(found) = Dist::get(name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let sent = [(header::CONTENT_TYPE, kind_of(name)), (header::CACHE_CONTROL, caching)];
    (sent, found.data.into_owned()).into_response()
}

fn kind_of(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
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

    #[tokio::test]
    async fn a_browser_gets_the_pages_packed_and_a_program_as_they_are() {
        let name = Dist::iter().find(|name| name.ends_with(".js") && name.contains("index-")).unwrap_or_default();
        let name = name.trim_start_matches("assets/").to_owned();
        let gzip = HeaderMap::from_iter([(header::ACCEPT_ENCODING, header::HeaderValue::from_static("gzip, br"))]);
        let packed = asset(Path(name.clone()), gzip).await;
        let said = |response: &Response, name| response.headers().get(name).map(|value| value.as_bytes().to_owned());
        assert_eq!(said(&packed, header::CONTENT_ENCODING).as_deref(), Some(b"gzip".as_slice()));
        assert_eq!(said(&packed, header::VARY).as_deref(), Some(b"accept-encoding".as_slice()));
        assert_eq!(said(&packed, header::CONTENT_TYPE).as_deref(), Some(b"text/javascript; charset=utf-8".as_slice()));
        let plain = asset(Path(name), HeaderMap::new()).await;
        assert_eq!((plain.status(), said(&plain, header::CONTENT_ENCODING)), (StatusCode::OK, None));
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
