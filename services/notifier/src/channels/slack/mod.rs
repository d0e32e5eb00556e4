//! Slack: `chat.postMessage` by a bot, `chat.update` after a decision.
//!
//! Slack knows no idempotency key. Each message carries the delivery's id as metadata, and an attempt that may be a
//! second one looks for it in the channel first.
//! Source: contracts/slack.md; docs.slack.dev/reference/methods.

mod api;
mod blocks;
mod verify;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use muster_domain::TenantId;
use muster_domain::delivery::recipient::Recipient;
use muster_domain::delivery::{Failure, FailureCode, routing};
use muster_domain::pb::inventory::v1::SlackChannel;
use muster_runtime::secrets::SecretResolver;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::credential::{self, Problem};
use super::outgoing::Outgoing;
use super::quota::{Quota, Window};
use super::{Attempt, Channel, Declared, Receipt, http_attempt_limit};
use api::Api;

pub use api::Team;
pub use verify::{MAX_DISTANCE_S, verify};

/// About one message a second for each channel, with short bursts.
const LIMIT: &[Window] = &[Window::new(5, 5)];
const CONCURRENCY: usize = 8;
/// Look, post, and each once more with a newer token.
const CALLS: i64 = 4;
const TOKEN: &str = "the bot token";
/// The metadata by which a message is found again.
const METADATA: &str = "muster_message";

/// The channel.
pub struct Slack {
    outgoing: Outgoing,
    secrets: SecretResolver,
    quota: Quota,
}

/// What is asked of Slack.
enum Deed {
    Post,
    Change(Posted),
}

/// Where a message stands; its receipt says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    pub channel: String,
    /// The message's id within its channel. A text: as a number it would lose digits.
    pub ts: String,
}

impl Posted {
    fn receipt(&self, how: &str) -> Receipt {
        Receipt(format!("accepted by Slack{how}: channel {}, ts {}", self.channel, self.ts))
    }

    /// Of a receipt that [`Slack`] gave.
    pub fn of(receipt: &Receipt) -> Option<Self> {
        let (channel, ts) = receipt.0.rsplit_once(": channel ")?.1.split_once(", ts ")?;
        Some(Self { channel: channel.to_owned(), ts: ts.to_owned() })
    }
}

impl Slack {
    pub fn new(outgoing: Outgoing, secrets: SecretResolver) -> Self {
        Self { outgoing, secrets, quota: Quota::new(LIMIT) }
    }

    /// Whose workspace a token belongs to.
    pub async fn team(&self, api_url: &str, token: &SecretString, now: Timestamp) -> Result<Team, Failure> {
        Api::new(&self.outgoing, api_url, now).team(token).await.map_err(|problem| problem.into_failure(TOKEN))
    }

    /// One text to one person, outside of the deliveries: the code of a binding.
    pub async fn direct(
        &self,
        api_url: &str,
        token: &SecretString,
        user: &str,
        text: &str,
        now: Timestamp,
    ) -> Result<Posted, Failure> {
        let body = json!({"channel": user, "text": blocks::escaped(text, blocks::MAX_TEXT), "unfurl_links": false});
        Api::new(&self.outgoing, api_url, now)
            .post_message(token, &body)
            .await
            .map_err(|problem| problem.into_failure(TOKEN))
    }

    async fn call(&self, attempt: &Attempt, deed: &Deed) -> Result<Receipt, Failure> {
        let once = |token| self.once(attempt, deed, token);
        let outcome = credential::call(&self.secrets, attempt, TOKEN, once).await;
        self.quota.heed(&key(&attempt.tenant, &attempt.recipient), &outcome);
        outcome
    }

    async fn once(&self, attempt: &Attempt, deed: &Deed, token: SecretString) -> Result<Receipt, Problem> {
        let api = Api::new(&self.outgoing, &settings(attempt)?.api_url, attempt.now);
        let mut body = payload(attempt);
        match deed {
            Deed::Post => {
                if attempt.possibly_duplicate
                    && let Some(posted) = api.find(&token, attempt).await?
                {
                    return Ok(posted.receipt(" (found again)"));
                }
                Ok(api.post_message(&token, &body).await?.receipt(""))
            }
            Deed::Change(posted) => {
                if let Some(body) = body.as_object_mut() {
                    body.insert("channel".into(), json!(posted.channel));
                    body.insert("ts".into(), json!(posted.ts));
                }
                Ok(api.update(&token, &body).await?.receipt(" (changed)"))
            }
        }
    }
}

fn key(tenant: &TenantId, recipient: &Recipient) -> String {
    format!("{tenant}/{}", recipient.identity)
}

fn settings(attempt: &Attempt) -> Result<&SlackChannel, Failure> {
    match attempt.declared.as_ref() {
        Declared::Slack(slack) => Ok(slack),
        _ => Err(Failure::new(FailureCode::RouteChanged, "the route is no Slack route any more")),
    }
}

/// The body of a call that is not made.
pub(crate) fn preview(attempt: &Attempt) -> String {
    format!("{:#}", payload(attempt))
}

/// The message as the Web API takes it.
fn payload(attempt: &Attempt) -> Value {
    json!({
        "channel": attempt.recipient.address,
        "text": blocks::fallback(attempt),
        "blocks": blocks::blocks(attempt),
        "unfurl_links": false,
        "unfurl_media": false,
        "metadata": {
            "event_type": METADATA,
            "event_payload": {"delivery_id": attempt.delivery_id.to_string(), "kind": attempt.message.kind},
        },
    })
}

#[async_trait]
impl Channel for Slack {
    fn name(&self) -> &'static str {
        routing::SLACK
    }

    fn attempt_limit(&self) -> SignedDuration {
        http_attempt_limit(CALLS)
    }

    fn concurrency(&self) -> usize {
        CONCURRENCY
    }

    fn turn(&self, tenant: &TenantId, recipient: &Recipient) -> Result<(), SignedDuration> {
        self.quota.turn(&key(tenant, recipient))
    }

    async fn deliver(&self, attempt: &Attempt) -> Result<Receipt, Failure> {
        self.call(attempt, &Deed::Post).await
    }

    fn changes_messages(&self) -> bool {
        true
    }

    async fn update(&self, attempt: &Attempt, receipt: &Receipt) -> Result<Receipt, Failure> {
        let Some(posted) = Posted::of(receipt) else {
            return Err(Failure::new(FailureCode::Rejected, "the receipt does not say where the message stands"));
        };
        // However often it is changed, it is one message.
        self.call(&Attempt { possibly_duplicate: false, ..attempt.clone() }, &Deed::Change(posted)).await
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn a_receipt_says_where_the_message_stands() {
        let posted = Posted { channel: "C0123ABCD".into(), ts: "1700000000.000100".into() };
        for how in ["", " (found again)", " (changed)"] {
            assert_eq!(Posted::of(&posted.receipt(how)).unwrap(), posted);
        }
        assert_eq!(Posted::of(&Receipt("250 2.0.0 Queued".into())), None);
    }
}
