//! The ways to reach people and machines. To add one: a folder here and a line in [`all`].

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use muster_domain::TenantId;
use muster_domain::delivery::recipient::Recipient;
use muster_domain::delivery::{Failure, Message};
use muster_domain::pb::inventory::v1::notification_route_spec::Channel as Declared;
use muster_runtime::config::Config;
use muster_runtime::secrets::SecretResolver;
use uuid::Uuid;

pub mod email;
pub mod webhook;

/// One attempt to be made.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub tenant: TenantId,
    pub delivery_id: Uuid,
    pub message: Message,
    pub recipient: Recipient,
    /// The route, for the thread of a mail program.
    pub route: String,
    /// Reference to what the channel signs or logs in with; empty for channels without.
    pub secret_ref: String,
    /// The channel as the route declares it.
    pub declared: Arc<Declared>,
    /// The page to open.
    pub link: String,
    pub number: u32,
    /// The far side may have got it before.
    pub possibly_duplicate: bool,
    pub now: Timestamp,
}

/// The far side's answer. It says "taken", never "read".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt(pub String);

/// A way to reach somebody. Retries, duplicates and records are not its business: one call is one attempt.
#[async_trait]
pub trait Channel: Send + Sync {
    /// As in the delivery's record: "email".
    fn name(&self) -> &'static str;

    /// The longest an attempt can take. Only after it may another one begin.
    fn attempt_limit(&self) -> SignedDuration;

    /// Attempts that may run at the same time.
    fn concurrency(&self) -> usize;

    async fn deliver(&self, attempt: &Attempt) -> Result<Receipt, Failure>;
}

/// A channel that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("smtp.from is '{value}', which is no sender: {reason}. Next: write it as \"Muster <muster@example.com>\"")]
    Sender { value: String, reason: String },
    #[error(
        "webhooks.allow_private_addresses holds '{0}', which is no network, address or host name. Next: correct it, such as 10.1.0.0/16"
    )]
    AllowList(String),
    #[error("the HTTP client could not be built: {0}")]
    Http(String),
    #[error("a built-in template is broken: {0}")]
    Template(#[from] minijinja::Error),
}

/// Every channel there is.
pub fn all(config: &Config, secrets: &SecretResolver) -> Result<Vec<Arc<dyn Channel>>, SetupError> {
    Ok(vec![
        Arc::new(email::Email::new(email::Relay::from_config(config)?, secrets.clone())?),
        Arc::new(webhook::Webhook::new(&config.webhooks.allow_private_addresses, secrets.clone())?),
    ])
}
