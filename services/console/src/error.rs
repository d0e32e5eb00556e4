//! What is said when there is no page to say it on: what happened, why, what to do.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{Html, IntoResponse, Redirect, Response},
};
use http::StatusCode;
use minijinja::{Environment, Value, context};
use muster_runtime::status::refusal_of;

use crate::Console;

/// Why a page could not be given.
pub(crate) enum PageError {
    /// Nobody is logged in: to the login, and back here afterwards.
    LoggedOut {
        back_to: String,
    },
    Api(tonic::Status),
}

impl From<tonic::Status> for PageError {
    fn from(status: tonic::Status) -> Self {
        Self::Api(status)
    }
}

pub(crate) type Page = Result<Response, PageError>;

const PROBLEM: &str = "problem.html";

/// The one page that is made here and not in the browser.
pub(crate) fn problem_page() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Chainable);
    environment.add_template(PROBLEM, include_str!("templates/problem.html"))?;
    Ok(environment)
}

/// Turns a failed page into one that says so.
pub(crate) fn shown(console: &Console, page: Page) -> Response {
    match page {
        Ok(response) => response,
        Err(PageError::LoggedOut { back_to }) => {
            let target: String = url::form_urlencoded::byte_serialize(back_to.as_bytes()).collect();
            Redirect::to(&format!("/login?back_to={target}")).into_response()
        }
        Err(PageError::Api(status)) => explain(&console.problem_page, &status),
    }
}

fn explain(pages: &Environment<'static>, status: &tonic::Status) -> Response {
    let code = match status.code() {
        tonic::Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        tonic::Code::PermissionDenied => StatusCode::FORBIDDEN,
        tonic::Code::NotFound => StatusCode::NOT_FOUND,
        tonic::Code::InvalidArgument | tonic::Code::FailedPrecondition => StatusCode::UNPROCESSABLE_ENTITY,
        tonic::Code::Unavailable | tonic::Code::DeadlineExceeded => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let refusal = refusal_of(status);
    let values = context! {
        title => if refusal.is_some() { "Not done" } else { "Something is wrong" },
        message => status.message(),
        // With the names of the API's JSON form.
        refusal => refusal.as_ref().map(|refusal| Value::from(minijinja::value::Serde(refusal))),
        unavailable => code == StatusCode::SERVICE_UNAVAILABLE,
        logged_out => code == StatusCode::UNAUTHORIZED,
    };
    render(pages, code, values, status.message())
}

/// GET /logged-out: where a logout ends. Not the login itself, which the provider may answer without asking.
pub(crate) async fn logged_out(State(console): State<Arc<Console>>) -> Response {
    let message = "You are logged out of Muster. Your identity provider may still know you.";
    let values = context! { title => "Logged out", message, logged_out => true };
    render(&console.problem_page, StatusCode::OK, values, message)
}

/// For somebody who is not logged in: which addresses there are is not theirs to find out by trying.
pub(crate) fn no_such_page(console: &Console) -> Response {
    let message = "Nothing is at this address. The link may be old, or a letter may be missing. Log in to go on.";
    let values = context! { title => "There is no such page", message, logged_out => true };
    render(&console.problem_page, StatusCode::NOT_FOUND, values, message)
}

fn render(pages: &Environment<'static>, code: StatusCode, values: Value, in_short: &str) -> Response {
    match pages.get_template(PROBLEM).and_then(|page| page.render(values)) {
        Ok(html) => (code, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "the page that explains a problem could not be made");
            (code, in_short.to_owned()).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[tokio::test]
    async fn what_went_wrong_is_escaped_and_says_how_to_go_on() {
        let status = tonic::Status::unauthenticated("<script>alert(1)</script>");
        let response = explain(&problem_page().unwrap(), &status);
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let body = axum::body::to_bytes(response.into_body(), 65_536).await.unwrap();
        let html = String::from_utf8_lossy(&body);
        assert!(
            html.contains("&lt;script&gt;") && html.contains("href=\"/login\"") && !html.contains("<script"),
            "{html}"
        );
    }
}
