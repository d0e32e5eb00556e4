//! What to do about each kind of alert: docs/alerts.md, served by the product itself so that it can be read when
//! nothing else can be reached. It is the same for everybody and needs no login.

use axum::extract::Path;
use axum::{Router, http::StatusCode, http::header::CONTENT_TYPE, response::IntoResponse, routing::get};

const PAGE: &str = include_str!("../../../../docs/alerts.md");
const ROOT: &str = "/help/alerts";

/// Where the section of a kind of alert is read: "https://muster.example/help/alerts/rpo.breached".
pub(super) fn address(public_url: &str, alert_kind: &str) -> String {
    format!("{}{ROOT}/{alert_kind}", public_url.trim_end_matches('/'))
}

/// The page and its sections, as plain text.
pub(crate) fn router() -> Router {
    Router::new()
        .route(ROOT, get(|| async { plain(PAGE) }))
        .route(&format!("{ROOT}/{{kind}}"), get(|Path(kind): Path<String>| async move { one(&kind) }))
}

fn one(kind: &str) -> axum::response::Response {
    match section(kind) {
        Some(text) => plain(text).into_response(),
        None => (StatusCode::NOT_FOUND, "there is no such kind of alert; all are under /help/alerts").into_response(),
    }
}

fn plain(text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], text)
}

/// From the heading "## `rpo.breached`…" to the next one.
fn section(kind: &str) -> Option<&'static str> {
    let starts = PAGE.match_indices("\n## `").map(|(at, _)| at + 1);
    let at = starts.into_iter().find(|at| {
        PAGE[*at..]
            .strip_prefix("## `")
            .and_then(|rest| rest.strip_prefix(kind))
            .is_some_and(|rest| rest.starts_with('`'))
    })?;
    let rest = &PAGE[at..];
    let end = rest[3..].find("\n## ").map_or(rest.len(), |end| end + 3);
    Some(rest[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use muster_domain::delivery::alert_rule::ALERT_KINDS;

    use super::*;

    #[test]
    fn every_kind_of_alert_has_its_section_and_no_more() {
        for kind in ALERT_KINDS {
            let text = section(kind).unwrap_or_default();
            assert!(text.starts_with(&format!("## `{kind}`")), "{kind}: {text}");
            assert_eq!(text.matches("\n## ").count(), 0, "{kind}");
        }
        for other in ["", "rpo", "rpo.breached`", "../x"] {
            assert_eq!(section(other), None, "{other}");
        }
    }

    #[test]
    fn the_address_is_below_the_public_one() {
        assert_eq!(address("https://m.example/", "rpo.breached"), "https://m.example/help/alerts/rpo.breached");
    }
}
