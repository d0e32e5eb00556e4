//! The page to choose who you are.

use std::fmt::Write as _;

use axum::{
    http::header,
    response::{Html, IntoResponse, Response},
};

use super::Issuer;

/// No scripts, nothing from elsewhere. A form target would be checked along redirects, so there is no form.
const CSP: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:4rem auto;padding:0 1rem;color:#1a1f2b;background:#fff}\
h1{font-size:1.4rem}ul{list-style:none;padding:0}li{margin:.5rem 0}\
a{display:block;padding:.75rem 1rem;border:1px solid #8a93a6;border-radius:.5rem;color:inherit;text-decoration:none}\
a:hover,a:focus{border-color:#1d4ed8;outline:2px solid #1d4ed8}small{color:#4b5565}\
@media(prefers-color-scheme:dark){body{color:#e6e9f0;background:#12161f}small{color:#a9b2c3}a:hover,a:focus{border-color:#7aa2ff;outline-color:#7aa2ff}}";

/// `query`: the authorization request, to be repeated with the choice.
pub(super) fn choose(issuer: &Issuer, query: &str) -> Response {
    let mut people = String::new();
    for person in &issuer.people {
        let name = if person.display_name.is_empty() { &person.name } else { &person.display_name };
        let hint: String = url::form_urlencoded::byte_serialize(person.name.as_bytes()).collect();
        let _ = write!(
            people,
            "<li><a href=\"?{}&amp;login_hint={}\">{}<br><small>{}</small></a></li>",
            escape(query),
            escape(&hint),
            escape(name),
            escape(&person.groups.join(", "))
        );
    }
    if people.is_empty() {
        people.push_str("<li>Nobody is configured. Add people under local.people in muster.toml.</li>");
    }
    page(
        "Who are you?",
        &format!(
            "<p>This is Muster's local mode: there are no passwords, and only this machine can reach it.</p><ul>{people}</ul>"
        ),
    )
}

pub(super) fn logged_out() -> Response {
    page("Logged out", "<p>You can close this page.</p>")
}

fn page(title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} - Muster</title><style>{STYLE}</style></head><body><main><h1>{title}</h1>{body}</main></body></html>"
    );
    ([(header::CONTENT_SECURITY_POLICY, CSP), (header::CACHE_CONTROL, "no-store")], Html(html)).into_response()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
