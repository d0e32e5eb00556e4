//! What a page says when something is wrong: what happened, why, what to do.

use axum::response::{Html, IntoResponse, Redirect, Response};
use http::StatusCode;
use minijinja::context;
use muster_runtime::status::refusal_of;

use crate::Console;

/// Why a page could not be made.
pub(crate) enum PageError {
    /// Nobody is logged in: to the login, and back here afterwards.
    LoggedOut {
        back_to: String,
    },
    Api(tonic::Status),
    Page(minijinja::Error),
}

impl From<tonic::Status> for PageError {
    fn from(status: tonic::Status) -> Self {
        Self::Api(status)
    }
}

impl From<minijinja::Error> for PageError {
    fn from(error: minijinja::Error) -> Self {
        Self::Page(error)
    }
}

pub(crate) type Page = Result<Response, PageError>;

/// Turns a failed page into one that says so.
pub(crate) fn shown(console: &Console, page: Page) -> Response {
    let error = match page {
        Ok(response) => return response,
        Err(error) => error,
    };
    match error {
        PageError::LoggedOut { back_to } => {
            let target: String = url::form_urlencoded::byte_serialize(back_to.as_bytes()).collect();
            Redirect::to(&format!("/login?back_to={target}")).into_response()
        }
        PageError::Api(status) => explain(console, &status),
        PageError::Page(error) => {
            tracing::error!(error = %error, "a page could not be rendered");
            (StatusCode::INTERNAL_SERVER_ERROR, "This page could not be made. The log of the console says why.")
                .into_response()
        }
    }
}

fn explain(console: &Console, status: &tonic::Status) -> Response {
    let code = match status.code() {
        tonic::Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        tonic::Code::PermissionDenied => StatusCode::FORBIDDEN,
        tonic::Code::NotFound => StatusCode::NOT_FOUND,
        tonic::Code::InvalidArgument | tonic::Code::FailedPrecondition => StatusCode::UNPROCESSABLE_ENTITY,
        tonic::Code::Unavailable | tonic::Code::DeadlineExceeded => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let refusal = refusal_of(status);
    let page = console.templates.render(
        "problem.html",
        context! {
            title => if refusal.is_some() { "Not done" } else { "Something is wrong" },
            message => status.message(),
            refusal => refusal.as_ref().map(crate::pages::value),
            unavailable => code == StatusCode::SERVICE_UNAVAILABLE,
            logged_out => code == StatusCode::UNAUTHORIZED,
        },
    );
    match page {
        Ok(html) => (code, Html(html)).into_response(),
        Err(_) => (code, status.message().to_owned()).into_response(),
    }
}
