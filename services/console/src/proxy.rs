//! The API for the pages: gRPC-Web below `/rpc/`, on the pages' own origin. The session's token is attached here, so
//! that the browser never holds one; the call itself goes to the same API as everybody's.
//!
//! A call is taken only with the session's key in a header of its own. A page elsewhere cannot read the key, and a
//! browser lets no page elsewhere send such a header: that is the protection against forged calls.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::StreamExt as _;
use tonic_web::GrpcWebLayer;
use tower::{Layer as _, ServiceExt as _};

use crate::{
    Console,
    session::{Session, Use},
};

/// Carries the session's key with each call.
pub(crate) const KEY_HEADER: &str = "x-muster-session-key";
/// Sent with calls that no person made by hand, so that an open page alone does not keep a session alive.
const BACKGROUND_HEADER: &str = "x-muster-background";
/// The API takes manifests of 1 MiB; base64 and framing come on top.
const MAX_CALL_BYTES: usize = 2 * 1024 * 1024;
/// How soon a stream notices that its session is over.
const SESSION_CHECK: std::time::Duration = std::time::Duration::from_secs(5);
/// What a call may say to the API; nothing else of the browser's headers goes on.
const PASSED_ON: [HeaderName; 4] = [
    header::CONTENT_TYPE,
    header::ACCEPT,
    HeaderName::from_static("grpc-timeout"),
    HeaderName::from_static("x-grpc-web"),
];

/// POST /rpc/{service}/{method}
pub(crate) async fn forward(
    State(console): State<Arc<Console>>,
    Path((service, method)): Path<(String, String)>,
    request: Request,
) -> Response {
    let session = match admitted(&console, request.headers()) {
        Ok(session) => session,
        Err(refused) => return refused,
    };
    if !service.starts_with("muster.") {
        return refuse(StatusCode::NOT_FOUND, "Only Muster's own services are reached here.");
    }
    match call(&console, &session, &service, &method, request).await {
        Ok(response) => while_session_lasts(console, session, response),
        Err(refused) => refused,
    }
}

/// The session that this call belongs to, if the call is one of its own pages'.
fn admitted(console: &Console, headers: &HeaderMap) -> Result<Session, Response> {
    let how = if headers.contains_key(BACKGROUND_HEADER) { Use::InBackground } else { Use::ByHand };
    let Some(session) = console.sessions.find_for(headers, console.context.clock.now(), how) else {
        return Err(refuse(StatusCode::UNAUTHORIZED, "Nobody is logged in here any more. Log in again."));
    };
    let key = headers.get(KEY_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Told by the browser itself, where it does.
    let site = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok()).unwrap_or("same-origin");
    if !session.has_key(key) || site != "same-origin" {
        return Err(refuse(
            StatusCode::FORBIDDEN,
            "This call does not come from a page of the present session. Nothing was done. Reload the page.",
        ));
    }
    Ok(session)
}

async fn call(
    console: &Console,
    session: &Session,
    service: &str,
    method: &str,
    request: Request,
) -> Result<http::Response<tonic::body::Body>, Response> {
    let not_an_address = || refuse(StatusCode::NOT_FOUND, "There is no such method.");
    let mut onward = http::Request::post(format!("{}{service}/{method}", console.api.address()));
    if let Some(headers) = onward.headers_mut() {
        for name in PASSED_ON {
            if let Some(value) = request.headers().get(&name) {
                headers.insert(name, value.clone());
            }
        }
        let bearer = console.api.bearer(&session.token);
        let bearer =
            bearer.map_err(|_| refuse(StatusCode::UNAUTHORIZED, "The session holds no usable token. Log in again."))?;
        headers.insert(header::AUTHORIZATION, bearer);
    }
    let too_large = |_| refuse(StatusCode::PAYLOAD_TOO_LARGE, "The call is larger than 2 MiB.");
    let body = axum::body::to_bytes(request.into_body(), MAX_CALL_BYTES).await.map_err(too_large)?;
    let onward = onward.body(Body::from(body)).map_err(|_| not_an_address())?;
    let answer = GrpcWebLayer::new().layer(console.api.channel()).oneshot(onward).await;
    answer.map_err(|error| {
        tracing::warn!(%error, service, method, "the API did not answer the console");
        refuse(StatusCode::SERVICE_UNAVAILABLE, "The API does not answer. Try again in a moment.")
    })
}

/// A stream ends with its session: after a logout nothing more is shown.
fn while_session_lasts(
    console: Arc<Console>,
    session: Session,
    response: http::Response<tonic::body::Body>,
) -> Response {
    let (head, body) = response.into_parts();
    let over = async move {
        while console.sessions.lasts(&session, console.context.clock.now()) {
            tokio::time::sleep(SESSION_CHECK).await;
        }
    };
    // In gRPC-Web the trailers are part of the data.
    let data = Body::new(body).into_data_stream().take_until(Box::pin(over));
    Response::from_parts(head, Body::from_stream(data))
}

fn refuse(status: StatusCode, why: &'static str) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], why).into_response()
}
