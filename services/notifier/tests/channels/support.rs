//! What the tests of the channels share.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use muster_domain::delivery::message::{Fact, kind};
use muster_domain::delivery::recipient::{self, Recipient};
use muster_domain::delivery::{Message, Severity, Source};
use muster_domain::pb::common::v1::{Environment, Tier};
use muster_domain::pb::inventory::v1::notification_route_spec::Channel as Declared;
use muster_domain::pb::inventory::v1::{EmailChannel, WebhookChannel};
use muster_notifier::channels::{Attempt, Limits, Outgoing};
use muster_runtime::SecretResolver;
use muster_runtime::config::Secrets;
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Where the far sides of tests listen.
pub(crate) const LOOPBACK: &str = "127.0.0.1";

/// Tenant acme's "file:hook" is [`SECRET`].
pub(crate) fn secrets() -> (TempDir, SecretResolver) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("acme")).unwrap();
    std::fs::write(dir.path().join("acme/hook"), SECRET).unwrap();
    let resolver = SecretResolver::new(&Secrets { directory: Some(dir.path().to_owned()) });
    (dir, resolver)
}

/// A secret of tenant acme, in a file of its own.
pub(crate) struct Stored {
    dir: TempDir,
    pub(crate) secrets: SecretResolver,
}

/// Its reference.
pub(crate) const STORED_REF: &str = "file:channel";

impl Stored {
    pub(crate) fn new(secret: &str) -> Self {
        let (dir, secrets) = secrets();
        let stored = Self { dir, secrets };
        stored.write(secret);
        stored
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("acme/channel")
    }

    pub(crate) fn write(&self, secret: &str) {
        std::fs::write(self.path(), secret).unwrap();
    }

    pub(crate) fn read(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }
}

/// Quick to give up; connects to what is allowed.
pub(crate) fn outgoing(allow: &[&str]) -> Outgoing {
    let allow: Vec<String> = allow.iter().map(|a| (*a).to_owned()).collect();
    Outgoing::new(&allow, Limits { connect: Duration::from_secs(3), whole: Duration::from_secs(4) }).unwrap()
}

pub(crate) fn message() -> Message {
    let source = Source {
        tenant: "acme".into(),
        event_id: Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001),
        sequence: 3,
        occurred_at: Timestamp::now(),
    };
    let (tier, environment) = (Tier::Tier1.into(), Environment::Production.into());
    let mut message = Message::about(&source, kind::RPO_BREACHED, "orders-db", tier, environment);
    message.severity = Severity::Critical;
    message.alert_id = "a1".into();
    message.alert_kind = kind::RPO_BREACHED.into();
    message.opens_thread = true;
    message.subject = "CRITICAL: orders-db (tier 1, production): RPO breached".into();
    message.summary = "More data could be missing than the RPO allows.".into();
    message.reasons = vec!["RPO_BREACH: above the limit".into()];
    message.facts = vec![Fact { name: "Status".into(), value: "red".into() }];
    message.loss = vec!["potential loss window up to 95 s".into()];
    message.next_step = "Open the page.".into();
    message
}

/// Far more than any far side takes; templates of tenants can make such texts.
pub(crate) fn oversized() -> Message {
    let long = |characters: usize| "ünïcode < & > text ".repeat(characters / 19);
    let mut message = message();
    message.subject = format!("SUBJECT-BEGINS {}", long(5_000));
    message.summary = long(100_000);
    message.reasons = (0..8).map(|_| long(20_000)).collect();
    message.loss = (0..8).map(|_| long(20_000)).collect();
    message.facts = (0..8).map(|i| Fact { name: format!("fact {i}"), value: long(20_000) }).collect();
    message.next_step = long(100_000);
    message
}

/// What people can get into texts: a reason, a name, a guidance.
pub(crate) fn hostile() -> Message {
    let evil = "x\r\nBcc: victim@example.com\r\n\r\n<!channel> <@U0123ABCD> <https://evil.example|click> [click](https://evil.example) <at>all</at> <script>alert(1)</script> {{DATE(2026-01-01T00:00:00Z)}}";
    let mut message = message();
    message.subject = evil.into();
    message.summary = evil.into();
    message.reasons = vec![evil.into()];
    message.loss = vec![evil.into()];
    message.facts = vec![Fact { name: evil.into(), value: evil.into() }];
    message.next_step = evil.into();
    message
}

pub(crate) fn mail_to(address: &str) -> Attempt {
    attempt(recipient::email(address).unwrap(), Declared::Email(EmailChannel::default()), "file:hook")
}

pub(crate) fn post_to(url: &str) -> Attempt {
    attempt(recipient::webhook(url).unwrap(), Declared::Webhook(WebhookChannel::default()), "file:hook")
}

pub(crate) fn attempt(recipient: Recipient, declared: Declared, secret_ref: &str) -> Attempt {
    Attempt {
        tenant: "acme".parse().unwrap(),
        delivery_id: Uuid::from_u128(1),
        message: message(),
        recipient,
        route: "team".into(),
        secret_ref: secret_ref.into(),
        declared: Arc::new(declared),
        link: "https://muster.example/t/acme/resources/orders-db".into(),
        number: 1,
        possibly_duplicate: false,
        buttons: Vec::new(),
        now: Timestamp::now(),
    }
}

/// For one delivery of its own.
pub(crate) fn for_delivery(mut attempt: Attempt, message: Message, delivery: u128) -> Attempt {
    attempt.message = message;
    attempt.delivery_id = Uuid::from_u128(delivery);
    attempt.message.event_id = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + delivery);
    attempt
}
