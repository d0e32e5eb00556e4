//! One HTTP request to somebody else's address, for every channel that makes one.
//!
//! The address is checked before a connection is made (`muster_runtime::outgoing`), redirects are never followed, no
//! proxy of the environment is used, and a URL never gets into a text: its query can be a credential.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muster_domain::delivery::{Failure, FailureCode};
use muster_runtime::outgoing::{Guarded, Policy, Refused};
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Response, StatusCode, Url, redirect};

use super::SetupError;

/// What is read of an answer: errors and receipts are short, the rest is thrown away.
pub(super) const SHORT_ANSWER_BYTES: usize = 4 * 1024;
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

/// The client. A cheap handle.
#[derive(Clone)]
pub struct Outgoing {
    http: reqwest::Client,
    policy: Arc<Policy>,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<SignedDuration>,
    /// Its beginning, up to the limit asked for.
    pub(super) body: Vec<u8>,
    /// The body ended before the limit, as its sender meant.
    pub(super) is_whole: bool,
}

/// What is sent.
pub(super) struct Post<'a> {
    pub(super) url: &'a str,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Vec<u8>,
    pub(super) max_answer_bytes: usize,
    pub(super) now: Timestamp,
}

impl Outgoing {
    /// `allow` lists private destinations that the operator permits: networks, addresses or host names.
    pub fn new(allow: &[String], limits: Limits) -> Result<Self, SetupError> {
        let policy = Arc::new(Policy::webhooks(allow).map_err(|wrong| SetupError::AllowList(wrong.0))?);
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

    /// Checks an address without asking it.
    pub(super) fn check(&self, url: &str) -> Result<Url, Refused> {
        self.policy.check_url(url)
    }

    /// One POST of JSON. The answer's status is the caller's to judge.
    pub(super) async fn post(&self, post: Post<'_>) -> Result<Answer, Failure> {
        let url = self.check(post.url).map_err(forbidden)?;
        let headers: HeaderMap = post.headers.into_iter().collect();
        let json = HeaderValue::from_static("application/json");
        let mut request = self.http.post(url).body(post.body);
        if !headers.contains_key(header::CONTENT_TYPE) {
            request = request.header(header::CONTENT_TYPE, json);
        }
        let response = request.headers(headers).send().await.map_err(broken)?;
        Ok(read(response, post.max_answer_bytes, post.now).await)
    }
}

/// An address that is not connected to.
pub(super) fn forbidden(refused: Refused) -> Failure {
    Failure::new(FailureCode::Forbidden, refused.to_string())
}

/// A header's value that holds a secret, or something typed.
pub(super) fn header_value(text: &str, what: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| Failure::new(FailureCode::Misconfigured, format!("{what} has characters that no header takes")))?;
    value.set_sensitive(true);
    Ok(value)
}

impl Answer {
    /// "HTTP 503"
    pub(super) fn text(&self) -> String {
        format!("HTTP {}", self.status.as_u16())
    }

    /// "HTTP 400: what the far side said", without the secret, should it have been said back.
    pub(super) fn text_with(&self, said: &str, secret: &str) -> String {
        /// Enough to see what is wrong.
        const MAX_SAID: usize = 300;
        let said = scrubbed(said, secret);
        let said = muster_domain::delivery::message::clip(&said, MAX_SAID);
        if said.is_empty() { self.text() } else { format!("{}: {said}", self.text()) }
    }

    pub(super) fn deferred(&self) -> Failure {
        Failure::new(FailureCode::Deferred, self.text()).retry_after(self.retry_after)
    }

    /// A redirect would lead past the check of the address, and the signature was made for this one.
    pub(super) fn redirected(&self) -> Failure {
        let text = format!("{}: redirects are never followed; register the final URL", self.text());
        Failure::new(FailureCode::Failed, text)
    }
}

/// A text of the far side without our secret: some echo what they were sent. Also without its parts, which are enough
/// for a URL (its signature) or a token.
pub(super) fn scrubbed(text: &str, secret: &str) -> String {
    /// A shorter part would also hit ordinary words.
    const MIN_PART: usize = 12;
    let parts = secret.split(['?', '&', '=', '/', ' ', '\n', '\r']).filter(|part| part.len() >= MIN_PART);
    std::iter::once(secret)
        .filter(|whole| !whole.is_empty())
        .chain(parts)
        .fold(text.to_owned(), |text, part| text.replace(part, "[secret]"))
}

async fn read(mut response: Response, limit: usize, now: Timestamp) -> Answer {
    let status = response.status();
    let retry_after =
        response.headers().get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()).and_then(|v| retry_after(v, now));
    let mut body = Vec::new();
    let is_whole = loop {
        if body.len() >= limit {
            break false;
        }
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    body.truncate(limit);
    Answer { status, retry_after, body, is_whole }
}

/// Seconds, or an HTTP date.
fn retry_after(value: &str, now: Timestamp) -> Option<SignedDuration> {
    if let Ok(seconds) = value.trim().parse::<u32>() {
        return Some(SignedDuration::from_secs(seconds.into()));
    }
    let at = jiff::fmt::rfc2822::parse(value.trim()).ok()?.timestamp();
    Some(at.duration_since(now).max(SignedDuration::ZERO))
}

/// What a request without an answer means. Before the connection nothing was sent; after it, nobody knows.
fn broken(error: reqwest::Error) -> Failure {
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

    #[test]
    fn a_secret_that_is_said_back_is_not_repeated() {
        let url = "https://a.example.com/workflows/0123456789abcdef/invoke?sp=%2Frun&sig=AbCdEfGhIjKlMnOp";
        let said = format!("no flow at {url}, signature AbCdEfGhIjKlMnOp, id 0123456789abcdef");
        let scrubbed = scrubbed(&said, url);
        assert!(!scrubbed.contains("AbCdEf") && !scrubbed.contains("01234567"), "{scrubbed}");
        assert!(scrubbed.starts_with("no flow at"));
    }
}
