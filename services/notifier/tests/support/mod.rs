//! What the tests of the notifier share.

#![expect(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod smtp;

use jiff::Timestamp;
use muster_domain::delivery::message::Fact;
use muster_domain::delivery::{Message, Severity, recipient};
use muster_domain::pb::common::v1::{Environment, Tier};
use muster_notifier::channels::Attempt;
use muster_runtime::SecretResolver;
use muster_runtime::config::Secrets;
use uuid::Uuid;

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Tenant acme's "file:hook" is [`SECRET`].
pub(crate) fn secrets() -> (tempfile::TempDir, SecretResolver) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("acme")).unwrap();
    std::fs::write(dir.path().join("acme/hook"), SECRET).unwrap();
    let resolver = SecretResolver::new(&Secrets { directory: Some(dir.path().to_owned()) });
    (dir, resolver)
}

pub(crate) fn message() -> Message {
    Message {
        kind: "rpo.breached".into(),
        event_id: Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001),
        sequence: 3,
        occurred_at: Timestamp::now(),
        tenant: "acme".into(),
        severity: Severity::Critical,
        resource: "orders-db".into(),
        tier: Tier::Tier1,
        environment: Environment::Production,
        request_id: String::new(),
        alert_id: "a1".into(),
        opens_thread: true,
        subject: "CRITICAL: orders-db (tier 1, production): RPO breached".into(),
        summary: "More data could be missing than the RPO allows.".into(),
        reasons: vec!["RPO_BREACH: above the limit".into()],
        facts: vec![Fact { name: "Status".into(), value: "red".into() }],
        loss: vec!["potential loss window up to 95 s".into()],
        next_step: "Open the page.".into(),
        only_routes: Vec::new(),
        alert_kind: String::new(),
        runbook_url: String::new(),
        repetition: 0,
        test: false,
        language: String::new(),
    }
}

pub(crate) fn mail_to(address: &str) -> Attempt {
    attempt(recipient::email(address).unwrap())
}

pub(crate) fn post_to(url: &str) -> Attempt {
    attempt(recipient::webhook(url).unwrap())
}

fn attempt(recipient: recipient::Recipient) -> Attempt {
    Attempt {
        tenant: "acme".parse().unwrap(),
        delivery_id: Uuid::from_u128(1),
        message: message(),
        recipient,
        route: "team".into(),
        secret_ref: "file:hook".into(),
        link: "https://muster.example/t/acme/resources/orders-db".into(),
        number: 1,
        possibly_duplicate: false,
        now: Timestamp::now(),
    }
}
