//! Style and script of the older pages, part of the binary.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};

pub(crate) fn find(name: &str) -> Option<Response> {
    let (kind, body) = match name {
        "style.css" => ("text/css; charset=utf-8", include_str!("assets/style.css")),
        "live.js" => ("text/javascript; charset=utf-8", include_str!("assets/live.js")),
        _ => return None,
    };
    Some(([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], body).into_response())
}
