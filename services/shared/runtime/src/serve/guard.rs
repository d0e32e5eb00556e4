//! What stands around every handler: a panic is an answer, and no call takes for ever.

use std::{panic::AssertUnwindSafe, time::Duration};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use tonic::Status;

use crate::{status, tasks::panic_text};

/// Longer deadlines of callers are cut to the configured limit; digits beyond the eight of the specification are wrong.
const MAX_TIMEOUT_DIGITS: usize = 8;

pub(super) async fn catch_grpc_panic(request: Request, next: Next) -> Response {
    match caught(request, next).await {
        Ok(response) => response,
        Err(panic) => grpc(status::internal(&panic)),
    }
}

pub(super) async fn catch_http_panic(request: Request, next: Next) -> Response {
    match caught(request, next).await {
        Ok(response) => response,
        Err(panic) => {
            tracing::error!(error = %panic, "internal error");
            (StatusCode::INTERNAL_SERVER_ERROR, "an internal error; the log has the details\n").into_response()
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a handler panicked: {0}")]
struct Panicked(String);

async fn caught(request: Request, next: Next) -> Result<Response, Panicked> {
    AssertUnwindSafe(next.run(request)).catch_unwind().await.map_err(|panic| Panicked(panic_text(panic.as_ref())))
}

/// Bounds the time to the head of the answer; a stream may then go on.
pub(super) async fn limit_grpc_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    let asked = request.headers().get("grpc-timeout").and_then(|v| parse_timeout(v.to_str().ok()?));
    let limit = asked.map_or(limit, |asked| asked.min(limit));
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => grpc(Status::deadline_exceeded(format!(
            "no answer within {} ms; whether the command was recorded is not known. Next: repeat it with the same idempotency key",
            limit.as_millis()
        ))),
    }
}

pub(super) async fn limit_http_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => (StatusCode::GATEWAY_TIMEOUT, "no answer in time; try again\n").into_response(),
    }
}

fn grpc(status: Status) -> Response {
    status.into_http::<axum::body::Body>()
}

/// "100m" is 100 milliseconds (gRPC over HTTP/2, Timeout).
fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > MAX_TIMEOUT_DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let n: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(n * 3600)),
        "M" => Some(Duration::from_secs(n * 60)),
        "S" => Some(Duration::from_secs(n)),
        "m" => Some(Duration::from_millis(n)),
        "u" => Some(Duration::from_micros(n)),
        "n" => Some(Duration::from_nanos(n)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_read_as_the_specification_writes_them() {
        assert_eq!(parse_timeout("100m"), Some(Duration::from_millis(100)));
        assert_eq!(parse_timeout("2S"), Some(Duration::from_secs(2)));
        for wrong in ["", "m", "1", "-1S", "123456789S", "1x", "1ü"] {
            assert_eq!(parse_timeout(wrong), None, "{wrong}");
        }
    }
}
