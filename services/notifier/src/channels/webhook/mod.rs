//! Signed webhooks (Standard Webhooks): one POST of a thin JSON body, signed as it is sent.
//!
//! Source: github standard-webhooks/standard-webhooks spec/standard-webhooks.md; contracts/webhook.md.

mod body;
mod sign;

use async_trait::async_trait;
use jiff::SignedDuration;
use muster_domain::delivery::{Failure, FailureCode, routing};
use muster_runtime::secrets::SecretResolver;
use reqwest::StatusCode;
use reqwest::header::HeaderName;

use super::outgoing::{Answer, Outgoing, Post, SHORT_ANSWER_BYTES, header_value};
use super::{Attempt, Channel, Receipt, credential, http_attempt_limit};

pub use sign::webhook_id;

const CONCURRENCY: usize = 32;

/// The channel.
pub struct Webhook {
    outgoing: Outgoing,
    secrets: SecretResolver,
}

impl Webhook {
    pub fn new(outgoing: Outgoing, secrets: SecretResolver) -> Self {
        Self { outgoing, secrets }
    }
}

/// The body of a call that is not made.
pub(crate) fn preview(attempt: &Attempt) -> Result<String, serde_json::Error> {
    body::json(attempt).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[async_trait]
impl Channel for Webhook {
    fn name(&self) -> &'static str {
        routing::WEBHOOK
    }

    fn attempt_limit(&self) -> SignedDuration {
        http_attempt_limit(1)
    }

    fn concurrency(&self) -> usize {
        CONCURRENCY
    }

    async fn deliver(&self, attempt: &Attempt) -> Result<Receipt, Failure> {
        let mistake = |text: String| Failure::new(FailureCode::Misconfigured, text);
        let secret = credential::read(&self.secrets, attempt, "the signing secret")?;
        let keys = sign::keys(&secret).map_err(|e| mistake(e.to_string()))?;
        let body = body::json(attempt).map_err(|e| mistake(format!("the body could not be made: {e}")))?;
        let signed = sign::headers(&keys, &webhook_id(attempt.message.event_id), attempt.now.as_second(), &body)
            .map_err(|e| mistake(e.to_string()))?;
        let headers = signed.into_iter().map(|(name, value)| {
            header_value(&value, "the signature").map(|value| (HeaderName::from_static(name), value))
        });
        let post = Post {
            url: &attempt.recipient.address,
            headers: headers.collect::<Result<_, _>>()?,
            body,
            max_answer_bytes: SHORT_ANSWER_BYTES,
            now: attempt.now,
        };
        judge(&self.outgoing.post(post).await?)
    }
}

/// The receipt is the status: what a receiver says beside it is its own affair.
fn judge(answer: &Answer) -> Result<Receipt, Failure> {
    match answer.status {
        status if status.is_success() => Ok(Receipt(format!("accepted by the webhook's receiver ({})", answer.text()))),
        StatusCode::GONE => Err(Failure::new(FailureCode::Gone, format!("{}: the endpoint is gone", answer.text()))),
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Err(answer.deferred()),
        status if status.is_redirection() => Err(answer.redirected()),
        _ => Err(Failure::new(FailureCode::Failed, answer.text())),
    }
}
