//! One HTTP request: guarded, without redirects, bounded in time and size.

use std::{error::Error as _, sync::Arc, time::Duration};

use muster_domain::pb::plan::v1::HttpAction;
use muster_platform::{Facts, StepDone, StepError};
use muster_runtime::{
    Owner,
    outgoing::{Guarded, Policy, Refused},
};
use reqwest::{Method, header, redirect};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::OnceCell;

use super::Surroundings;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Of a body so much is looked at; the rest is not read.
const MAX_BODY: usize = 64 * 1024;
/// The methods a step may use.
const METHODS: [Method; 6] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// The clients for everything steps ask over HTTP. Made when they are first needed: most runs need none.
pub(super) struct Outgoing {
    policy: Arc<Policy>,
    over_tls: OnceCell<reqwest::Client>,
    plain: OnceCell<reqwest::Client>,
}

pub(super) struct Ask<'a> {
    pub method: &'a str,
    pub url: &'a str,
    pub body: &'a str,
    pub content_type: &'a str,
    pub token: Option<SecretString>,
    pub limit: Duration,
}

pub(super) struct Answer {
    pub status: u16,
    pub body: String,
}

pub(super) struct Failure {
    pub text: String,
    /// Refused by our own rules, or before anything could be asked: it says nothing about the other side.
    pub is_ours: bool,
    /// Nothing reached the other side.
    pub not_sent: bool,
}

impl Outgoing {
    pub(super) fn new(policy: Policy) -> Self {
        Self { policy: Arc::new(policy), over_tls: OnceCell::new(), plain: OnceCell::new() }
    }

    async fn client(&self, scheme: &str) -> Result<&reqwest::Client, reqwest::Error> {
        let policy = self.policy.clone();
        if scheme == "https" {
            return self.over_tls.get_or_try_init(async || client(Guarded::new(policy))).await;
        }
        self.plain.get_or_try_init(async || client(Guarded::only_listed(policy))).await
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(super) async fn send(&self, ask: Ask<'_>) -> Result<Answer, Failure> {
        let ours = |text: String| Failure { text, is_ours: true, not_sent: true };
        let url = self.policy.check_url(ask.url).map_err(|refused| ours(refused.to_string()))?;
        let method =
            METHODS.iter().find(|method| method.as_str().eq_ignore_ascii_case(ask.method)).ok_or_else(|| {
                ours(format!("'{}' is not a method a step may use: GET, HEAD, POST, PUT, PATCH or DELETE", ask.method))
            })?;
        let client = self.client(url.scheme()).await.map_err(|error| ours(error.to_string()))?;
        let mut request =
            client.request(method.clone(), url).timeout(ask.limit).header(header::CACHE_CONTROL, "no-cache");
        if !ask.body.is_empty() {
            let content_type = if ask.content_type.is_empty() { "application/json" } else { ask.content_type };
            request = request.header(header::CONTENT_TYPE, content_type).body(ask.body.to_owned());
        }
        if let Some(token) = &ask.token {
            request = request.bearer_auth(token.expose_secret());
        }
        let mut response = request.send().await.map_err(|error| broken(error, ask.limit))?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while body.len() < MAX_BODY {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                // The status is the answer. A body that breaks off is as long as it is.
                Ok(None) | Err(_) => break,
            }
        }
        body.truncate(MAX_BODY);
        Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

fn client(names: Guarded) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .user_agent("Muster-probe")
        .connect_timeout(CONNECT_LIMIT)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        // Each request by itself: a kept connection could lead where a name pointed before.
        .pool_max_idle_per_host(0)
        .retry(reqwest::retry::never())
        .dns_resolver(Arc::new(names))
        .build()
}

pub(super) async fn run(
    action: &HttpAction,
    idempotent: bool,
    limit: Duration,
    s: &Surroundings,
) -> Result<StepDone, StepError> {
    let token = match action.token_ref.as_str() {
        "" => None,
        reference => {
            let token = s.secrets.resolve(Owner::Tenant(&s.tenant), reference);
            Some(token.map_err(|error| StepError::refused(format!("the token: {error}")))?)
        }
    };
    let method = if action.method.is_empty() { "POST" } else { &action.method };
    let (url, body, content_type) = (&action.url, &action.body, &action.content_type);
    let what = format!("{} {}", method.to_ascii_uppercase(), shown(url));
    let answer = match s.outgoing.send(Ask { method, url, body, content_type, token, limit }).await {
        Ok(answer) => answer,
        Err(failure) if failure.is_ours => return Err(StepError::refused(format!("{what}: {}", failure.text))),
        Err(failure) if failure.not_sent => return Err(StepError::failed(format!("{what}: {}", failure.text))),
        Err(failure) if idempotent => {
            let text = format!("{what}: {}; it may have taken effect, and may be done again", failure.text);
            return Err(StepError::failed(text));
        }
        Err(failure) => {
            return Err(StepError::unknown(format!("{what}: {}; it may have taken effect", failure.text)));
        }
    };
    if is_expected(answer.status, &action.expect_status) {
        return Ok(StepDone { note: format!("{what}: HTTP {}", answer.status), outputs: Facts::new() });
    }
    let wanted = expected_words(&action.expect_status);
    let redirected = if (300..400).contains(&answer.status) { "; redirects are never followed" } else { "" };
    Err(StepError::failed(format!("{what}: HTTP {}, expected {wanted}{redirected}", answer.status)))
}

pub(super) fn is_expected(status: u16, expected: &[u32]) -> bool {
    if expected.is_empty() { (200..300).contains(&status) } else { expected.contains(&u32::from(status)) }
}

pub(super) fn expected_words(expected: &[u32]) -> String {
    if expected.is_empty() {
        return "200 to 299".to_owned();
    }
    expected.iter().map(u32::to_string).collect::<Vec<_>>().join(" or ")
}

/// The URL for people: its query can be a secret.
pub(super) fn shown(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}

fn broken(error: reqwest::Error, limit: Duration) -> Failure {
    let error = error.without_url();
    let mut causes = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref::<Refused>() {
            return Failure { text: refused.to_string(), is_ours: true, not_sent: true };
        }
        causes.push(error.to_string());
        cause = error.source();
    }
    let not_sent = error.is_connect() || error.is_builder();
    let text = if error.is_timeout() && !not_sent {
        format!("no answer within {} s", limit.as_secs())
    } else {
        causes.join(": ")
    };
    Failure { text, is_ours: error.is_builder(), not_sent }
}
