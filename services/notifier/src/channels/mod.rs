//! The ways to reach people and machines. To add one: a folder here and a line in [`all`], a name in
//! `muster_domain::delivery::routing`, and a fixture in `tests/channels`, where all of them pass the same cases.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use muster_domain::TenantId;
use muster_domain::delivery::recipient::Recipient;
use muster_domain::delivery::{Failure, FailureCode, Message};
use muster_domain::pb::inventory::v1::notification_route_spec::Channel as Declared;
use muster_runtime::config::Config;
use muster_runtime::secrets::SecretResolver;
use uuid::Uuid;

mod credential;
pub mod email;
pub mod gds_notification;
mod outgoing;
pub mod pagerduty;
mod quota;
mod signature;
pub mod slack;
pub mod teams;
pub mod webhook;

pub use outgoing::{Limits, Outgoing};
pub use signature::SignatureError;

/// The longest that an attempt of so many HTTP calls can take: 15 s for each (see [`Limits`]), and room for reading
/// secrets and being scheduled.
const fn http_attempt_limit(calls: i64) -> SignedDuration {
    SignedDuration::from_secs(15 * calls + 10)
}

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
    /// What can be pressed in the message itself, where the channel has buttons. Empty: only the link.
    pub buttons: Vec<Button>,
    pub now: Timestamp,
}

/// A button in a message. Pressing it opens a page and tells us who pressed, and is never a decision by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// "decide": comes back when it is pressed.
    pub action: String,
    pub text: String,
    /// Visible to everybody who can read the message: a random handle, never an authority.
    pub value: String,
    /// The page that it opens.
    pub url: String,
    pub look: Look,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    Plain,
    Primary,
    Danger,
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

    /// Takes a turn within our own limit towards this recipient, or says how long there is none. Asked before an
    /// attempt is claimed, so that waiting costs none.
    fn turn(&self, _tenant: &TenantId, _recipient: &Recipient) -> Result<(), SignedDuration> {
        Ok(())
    }

    async fn deliver(&self, attempt: &Attempt) -> Result<Receipt, Failure>;

    /// Whether [`Channel::update`] can do it at all.
    fn changes_messages(&self) -> bool {
        false
    }

    /// Puts another message in the place of one that was taken, such as the outcome in the place of the buttons.
    /// `receipt` is what [`Channel::deliver`] gave then.
    async fn update(&self, _attempt: &Attempt, _receipt: &Receipt) -> Result<Receipt, Failure> {
        Err(Failure::new(
            FailureCode::Rejected,
            format!("a message by {} cannot be changed once it is out", self.name()),
        ))
    }
}

/// A channel that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("smtp.ca_file {path} cannot be read: {reason}. Next: name a PEM file that Muster may read")]
    CaFile { path: String, reason: String },
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
    let outgoing = Outgoing::new(&config.webhooks.allow_private_addresses, Limits::default())?;
    Ok(vec![
        Arc::new(email::Email::new(email::Relay::from_config(config)?, secrets.clone())?),
        Arc::new(webhook::Webhook::new(outgoing.clone(), secrets.clone())),
        Arc::new(slack::Slack::new(outgoing.clone(), secrets.clone())),
        Arc::new(teams::Teams::new(outgoing.clone(), secrets.clone())),
        Arc::new(pagerduty::Pagerduty::new(outgoing.clone(), secrets.clone())),
        Arc::new(gds_notification::GdsNotification::new(outgoing, secrets.clone())?),
    ])
}
