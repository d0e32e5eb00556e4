//! PagerDuty: Events API v2 (trigger, acknowledge, resolve) and change events.
//!
//! 202 means that PagerDuty took it into its pipeline; a service in maintenance swallows it there. An acknowledgement
//! over there says that somebody looks after it, and is never an approval.
//! Source: contracts/pagerduty.md; github PagerDuty/developer-docs docs/events-API-v2.

mod event;
pub mod webhook;

use async_trait::async_trait;
use jiff::SignedDuration;
use muster_domain::TenantId;
use muster_domain::delivery::recipient::Recipient;
use muster_domain::delivery::{Failure, FailureCode, routing};
use muster_domain::pb::inventory::v1::PagerdutyChannel;
use muster_runtime::secrets::SecretResolver;
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::credential::{self, Problem};
use super::outgoing::{Answer, Outgoing, Post, SHORT_ANSWER_BYTES};
use super::quota::{Quota, Window, key_of_secret};
use super::{Attempt, Channel, Declared, Receipt, http_attempt_limit};
use event::Action;

pub use event::{Keyed, dedup_key};

/// PagerDuty takes about 120 a minute for each key; half of it leaves room for others that use the key.
const LIMIT: &[Window] = &[Window::new(60, 60)];
const CONCURRENCY: usize = 16;
/// One, and once more with a newer key.
const CALLS: i64 = 2;
const KEY: &str = "the integration key";
const KEY_CHARACTERS: usize = 32;
const US: &str = "https://events.pagerduty.com";
const EU: &str = "https://events.eu.pagerduty.com";

/// The channel.
pub struct Pagerduty {
    outgoing: Outgoing,
    secrets: SecretResolver,
    quota: Quota,
}

impl Pagerduty {
    pub fn new(outgoing: Outgoing, secrets: SecretResolver) -> Self {
        Self { outgoing, secrets, quota: Quota::new(LIMIT) }
    }

    async fn post(&self, attempt: &Attempt, base: &str, key: SecretString) -> Result<Receipt, Problem> {
        let key = key.expose_secret().trim();
        let action = Action::of(&attempt.message);
        check(key, &action)?;
        let post = Post {
            url: &format!("{base}{}", action.path()),
            headers: Vec::new(),
            body: event::body(attempt, &action, key).to_string().into_bytes(),
            max_answer_bytes: SHORT_ANSWER_BYTES,
            now: attempt.now,
        };
        let answer = self.outgoing.post(post).await?;
        judge(&answer, &action, key)
    }
}

/// What PagerDuty would refuse, or worse: take and drop.
fn check(key: &str, action: &Action) -> Result<(), Failure> {
    if key.len() != KEY_CHARACTERS || !key.bytes().all(|b| b.is_ascii_alphanumeric()) {
        let text = format!(
            "{KEY} is not {KEY_CHARACTERS} letters and digits. Next: store that of an Events API v2 integration"
        );
        return Err(Failure::new(FailureCode::Misconfigured, text));
    }
    if key.starts_with('R') && *action == Action::Change {
        let text = format!(
            "{KEY} is that of an orchestration, which takes no change events. Next: leave such kinds out of the route's events, or use a service's key"
        );
        return Err(Failure::new(FailureCode::Rejected, text));
    }
    Ok(())
}

fn base(pager: &PagerdutyChannel) -> &str {
    match (pager.events_url.trim_end_matches('/'), pager.region.as_str()) {
        ("", "eu") => EU,
        ("", _) => US,
        (other, _) => other,
    }
}

fn judge(answer: &Answer, action: &Action, key: &str) -> Result<Receipt, Problem> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let errors = body["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
    let said = answer.text_with(&errors.join("; "), key);
    let failed = |code| Problem::Failure(Failure::new(code, said.clone()));
    Err(match answer.status {
        status if status.is_success() => {
            return Ok(Receipt(format!("accepted by PagerDuty: {}", action.shown())));
        }
        status if status.is_redirection() => Problem::Failure(answer.redirected()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Problem::Credential(said),
        StatusCode::BAD_REQUEST if errors.iter().any(|error| is_about_the_key(error)) => Problem::Credential(said),
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            failed(FailureCode::Rejected)
        }
        // A 429 was not taken in; of the others nobody says, and the key of the incident makes a copy harmless.
        status if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() => {
            Problem::Failure(answer.deferred())
        }
        StatusCode::REQUEST_TIMEOUT => Problem::Failure(answer.deferred()),
        _ => failed(FailureCode::Failed),
    })
}

fn is_about_the_key(error: &str) -> bool {
    let error = error.to_ascii_lowercase();
    ["routing key", "routing_key", "integration key"].iter().any(|name| error.contains(name))
}

/// The body of a call that is not made. The key in it is a word.
pub(crate) fn preview(attempt: &Attempt) -> String {
    format!("{:#}", event::body(attempt, &Action::of(&attempt.message), KEY))
}

#[async_trait]
impl Channel for Pagerduty {
    fn name(&self) -> &'static str {
        routing::PAGERDUTY
    }

    fn attempt_limit(&self) -> SignedDuration {
        http_attempt_limit(CALLS)
    }

    fn concurrency(&self) -> usize {
        CONCURRENCY
    }

    fn turn(&self, tenant: &TenantId, recipient: &Recipient) -> Result<(), SignedDuration> {
        self.quota.turn(&key_of_secret(tenant, recipient))
    }

    async fn deliver(&self, attempt: &Attempt) -> Result<Receipt, Failure> {
        let Declared::Pagerduty(pager) = attempt.declared.as_ref() else {
            return Err(Failure::new(FailureCode::RouteChanged, "the route is no PagerDuty route any more"));
        };
        let base = base(pager);
        let post = |key| self.post(attempt, base, key);
        let outcome = credential::call(&self.secrets, attempt, KEY, post).await;
        self.quota.heed(&key_of_secret(&attempt.tenant, &attempt.recipient), &outcome);
        outcome
    }
}
