//! One POST, and what its answer means.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muster_domain::delivery::{Failure, FailureCode};
use muster_runtime::outgoing::{Guarded, Policy, Refused};
use reqwest::{Response, StatusCode, header, redirect};

use crate::channels::SetupError;

/// Of an answer only the status counts; this much is read so that the connection can be used again.
const MAX_ANSWER_BYTES: usize = 4 * 1024;
/// Connections kept open to one receiver.
const MAX_IDLE: usize = 2;

/// How long a receiver may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub connect: Duration,
    /// From the look-up of the name to the end of the answer.
    pub whole: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), whole: Duration::from_secs(15) }
    }
}

pub(super) struct Client {
    http: reqwest::Client,
    policy: Arc<Policy>,
}

impl Client {
    pub(super) fn new(policy: Policy, limits: Limits) -> Result<Self, SetupError> {
        let policy = Arc::new(policy);
        let http = reqwest::Client::builder()
            .user_agent(concat!("Muster/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(limits.connect)
            .timeout(limits.whole)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .pool_max_idle_per_host(MAX_IDLE)
            // A request is made again by our schedule, where it is recorded, and not hidden in here.
            .retry(reqwest::retry::never())
            .dns_resolver(Arc::new(Guarded::new(policy.clone())))
            .build()
            .map_err(|e| SetupError::Http(e.to_string()))?;
        Ok(Self { http, policy })
    }

    /// The receipt is the status; the body is read up to its limit and thrown away.
    pub(super) async fn post(
        &self,
        url: &str,
        headers: [(&'static str, String); 3],
        body: Vec<u8>,
        now: Timestamp,
    ) -> Result<String, Failure> {
        let url =
            self.policy.check_url(url).map_err(|refused| Failure::new(FailureCode::Forbidden, refused.to_string()))?;
        let mut request = self.http.post(url).header(header::CONTENT_TYPE, "application/json").body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let response = request.send().await.map_err(broken)?;
        let outcome = judge(&response, now);
        discard(response).await;
        outcome
    }
}

fn judge(response: &Response, now: Timestamp) -> Result<String, Failure> {
    let status = response.status();
    if status.is_success() {
        return Ok(format!("HTTP {}", status.as_u16()));
    }
    let text = format!("HTTP {}", status.as_u16());
    Err(match status {
        StatusCode::GONE => Failure::new(FailureCode::Gone, format!("{text}: the endpoint is gone")),
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => {
            let wait = response
                .headers()
                .get(header::RETRY_AFTER)
                .and_then(|v| v.to_str().ok())
                .and_then(|v| retry_after(v, now));
            Failure::new(FailureCode::Deferred, text).retry_after(wait)
        }
        _ if status.is_redirection() => {
            Failure::new(FailureCode::Failed, format!("{text}: redirects are never followed; register the final URL"))
        }
        _ => Failure::new(FailureCode::Failed, text),
    })
}

/// Seconds, or an HTTP date.
fn retry_after(value: &str, now: Timestamp) -> Option<SignedDuration> {
    if let Ok(seconds) = value.trim().parse::<u32>() {
        return Some(SignedDuration::from_secs(seconds.into()));
    }
    let at = jiff::fmt::rfc2822::parse(value.trim()).ok()?.timestamp();
    Some(at.duration_since(now).max(SignedDuration::ZERO))
}

async fn discard(mut response: Response) {
    let mut read = 0;
    while read < MAX_ANSWER_BYTES {
        match response.chunk().await {
            Ok(Some(chunk)) => read += chunk.len(),
            Ok(None) | Err(_) => break,
        }
    }
}

/// What a request without an answer means. Before the connection nothing was sent; after it, nobody knows.
fn broken(error: reqwest::Error) -> Failure {
    // A URL's query can be a secret of the receiver.
    let error = error.without_url();
    if let Some(refused) = find_refused(&error) {
        return Failure::new(FailureCode::Forbidden, refused);
    }
    let code =
        if error.is_connect() || error.is_builder() { FailureCode::Unreachable } else { FailureCode::OutcomeUnknown };
    let timed_out = if error.is_timeout() { "timed out: " } else { "" };
    Failure::new(code, format!("{timed_out}{}", chain(&error)))
}

fn find_refused(error: &reqwest::Error) -> Option<String> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(refused) = cause.downcast_ref::<Refused>() {
            return Some(refused.to_string());
        }
        source = cause.source();
    }
    None
}

/// The causes, outermost first.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn retry_after_takes_seconds_and_dates() {
        let now: Timestamp = "2015-10-21T07:27:00Z".parse().unwrap();
        assert_eq!(retry_after("120", now), Some(SignedDuration::from_secs(120)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT", now), Some(SignedDuration::from_secs(60)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:20:00 GMT", now), Some(SignedDuration::ZERO));
        for bad in ["", "soon", "-5", "1.5"] {
            assert_eq!(retry_after(bad, now), None, "{bad}");
        }
    }
}
