//! Signed webhooks (Standard Webhooks): one POST of a thin JSON body, signed as it is sent.
//!
//! Tenants type the URL, so the address is checked before a connection is made (`muster_runtime::outgoing`), redirects are
//! never followed and no proxy of the environment is used.
//! Source: github standard-webhooks/standard-webhooks spec/standard-webhooks.md; contracts/webhook.md.

mod body;
mod client;
mod sign;

use async_trait::async_trait;
use jiff::SignedDuration;
use muster_domain::delivery::{Failure, FailureCode, routing};
use muster_runtime::secrets::{Owner, SecretResolver};

use super::{Attempt, Channel, Receipt, SetupError};

pub use client::Limits;
pub use muster_runtime::outgoing::Policy;
pub use sign::webhook_id;

/// The request's own limit is 15 s; the rest is resolving secrets and being scheduled.
const ATTEMPT_LIMIT: SignedDuration = SignedDuration::from_secs(25);
const CONCURRENCY: usize = 32;

/// The channel.
pub struct Webhook {
    client: client::Client,
    secrets: SecretResolver,
}

impl Webhook {
    /// `allow` lists private destinations that the operator permits: networks, addresses or host names.
    pub fn new(allow: &[String], secrets: SecretResolver) -> Result<Self, SetupError> {
        Self::with_limits(allow, secrets, Limits::default())
    }

    /// With other time limits, for tests.
    pub fn with_limits(allow: &[String], secrets: SecretResolver, limits: Limits) -> Result<Self, SetupError> {
        let policy = Policy::webhooks(allow).map_err(|wrong| SetupError::AllowList(wrong.0))?;
        Ok(Self { client: client::Client::new(policy, limits)?, secrets })
    }
}

#[async_trait]
impl Channel for Webhook {
    fn name(&self) -> &'static str {
        routing::WEBHOOK
    }

    fn attempt_limit(&self) -> SignedDuration {
        ATTEMPT_LIMIT
    }

    fn concurrency(&self) -> usize {
        CONCURRENCY
    }

    async fn deliver(&self, attempt: &Attempt) -> Result<Receipt, Failure> {
        let mistake = |text: String| Failure::new(FailureCode::Misconfigured, text);
        let secret = self
            .secrets
            .resolve(Owner::Tenant(&attempt.tenant), &attempt.secret_ref)
            .map_err(|e| mistake(format!("the signing secret: {e}")))?;
        let keys = sign::keys(&secret).map_err(|e| mistake(e.to_string()))?;
        let body = body::json(attempt).map_err(|e| mistake(format!("the body could not be made: {e}")))?;
        let headers = sign::headers(&keys, &webhook_id(attempt.message.event_id), attempt.now.as_second(), &body)
            .map_err(|e| mistake(e.to_string()))?;
        self.client.post(&attempt.recipient.address, headers, body, attempt.now).await.map(Receipt)
    }
}
