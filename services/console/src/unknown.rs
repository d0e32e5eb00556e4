//! Addresses that nothing is at. A person with an old link gets a page that says so and where to go on; a program, and
//! whoever asks for a file, the bare status.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{Console, app, error, login::person};

/// GET or HEAD of what no route is for.
pub(crate) async fn page(
    State(console): State<Arc<Console>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    if !is_for_a_person(uri.path(), &headers) {
        return bare().await;
    }
    match person(&console, &headers, "/") {
        // The pages themselves say it, with everything around it that leads on.
        Ok(_) => (StatusCode::NOT_FOUND, app::frame()).into_response(),
        // What there is behind a login is nobody's business before it.
        Err(_) => error::no_such_page(&console),
    }
}

/// Any other method.
pub(crate) async fn bare() -> Response {
    StatusCode::NOT_FOUND.into_response()
}

/// Programs and machines ask below these; an answer in words would be taken for what they asked for.
const NOT_PAGES: [&str; 8] =
    ["/rpc", "/assets", "/healthz", "/livez", "/readyz", "/metrics", "/.well-known", "/local-issuer"];

/// A browser that follows a link takes HTML by name; for pictures, styles and scripts it does not.
fn is_for_a_person(path: &str, headers: &HeaderMap) -> bool {
    let below = |place: &str| path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let is_file = path.rsplit('/').next().is_some_and(|last| last.contains('.'));
    !is_file && !NOT_PAGES.iter().any(|place| below(place)) && takes_html(headers)
}

fn takes_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|kind| {
        let (kind, rest) = kind.split_once(';').unwrap_or((kind, ""));
        // A weight of zero is a refusal (RFC 9110, 12.4.2).
        kind.trim().eq_ignore_ascii_case("text/html") && !matches!(rest.trim(), "q=0" | "q=0.0")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";

    fn asks(path: &str, accept: &'static str) -> bool {
        is_for_a_person(path, &HeaderMap::from_iter([(header::ACCEPT, header::HeaderValue::from_static(accept))]))
    }

    #[test]
    fn a_person_with_an_old_link_is_told_so() {
        for path in ["/old", "/t/acme/no-such-page", "/t/acme/requests/1/gone/", "/rpcs", "/metrics-of-old"] {
            assert!(asks(path, BROWSER), "{path}");
        }
        assert!(asks("/old", "application/xml, TEXT/HTML;q=0.5"));
    }

    #[test]
    fn a_program_or_a_file_gets_the_bare_status() {
        for path in [
            "/favicon.ico",
            "/t/acme/app.js",
            "/assets/gone",
            "/rpc/muster.Nothing/Here",
            "/rpc",
            "/healthz/x",
            "/readyz/x",
            "/metrics/x",
            "/local-issuer/x",
            "/.well-known/security",
        ] {
            assert!(!asks(path, BROWSER), "{path}");
        }
        for accept in
            ["*/*", "application/json", "application/grpc", "text/htmlx", "text/html;q=0", "image/avif,*/*;q=0.8"]
        {
            assert!(!asks("/old", accept), "{accept}");
        }
        assert!(!is_for_a_person("/old", &HeaderMap::new()));
    }
}
