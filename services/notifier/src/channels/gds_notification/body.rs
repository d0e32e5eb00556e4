//! The alert as the service takes it.

use muster_domain::delivery::Failure;
use muster_domain::delivery::message::clip;
use muster_domain::pb::common::v1::{Environment, Tier};
use muster_domain::pb::inventory::v1::GdsNotificationChannel;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::channels::Attempt;
use crate::channels::email::Composer;

/// In characters over there; in bytes here, which is never more.
const MAX_SUBJECT: usize = 1_000;
/// Set by us: the receiver names none, and a body over its limit would fail late.
const MAX_TEXT: usize = 64 * 1024;
const CUT: &str = "\n[Shortened: the page has the rest.]\n";

pub(super) fn json(attempt: &Attempt, gds: &GdsNotificationChannel, composer: &Composer) -> Result<Value, Failure> {
    let message = &attempt.message;
    let mut text = composer.render("message.txt", attempt)?;
    if text.len() > MAX_TEXT {
        text.truncate(text.floor_char_boundary(MAX_TEXT - CUT.len()));
        text.push_str(CUT);
    }
    // Cut HTML is no HTML: then the text has to do.
    let html = composer.render("message.html", attempt)?;
    let html = (html.len() <= MAX_TEXT).then_some(html);
    Ok(json!({
        "message_id": message_id(attempt),
        "alert_name": gds.alert_name.trim(),
        "db_instance_id": gds.db_instance_ids.get(&message.resource),
        "subject": clip(&format!("{} {}", prefix(attempt), message.subject), MAX_SUBJECT),
        "body_text": text,
        "body_html": html,
        "received_at": message.occurred_at.to_string(),
    }))
}

/// The service's idempotency key: one for each delivery, the same at every attempt. A reminder is another delivery, and
/// so has another one; without that it would be dropped silently.
pub fn message_id(attempt: &Attempt) -> String {
    let text = format!("muster:{}:{}", attempt.tenant, attempt.delivery_id);
    let digest = Sha256::digest(text);
    let hex = digest.iter().take(20).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    format!("{hex}@muster")
}

/// "[T1][PROD]"
fn prefix(attempt: &Attempt) -> String {
    let tier = match attempt.message.tier {
        Tier::Tier1 => "T1",
        Tier::Tier2 => "T2",
        Tier::Tier3 => "T3",
        Tier::Unspecified => "T?",
    };
    let environment = match attempt.message.environment {
        Environment::Production => "PROD",
        Environment::Staging => "STAGING",
        Environment::Test => "TEST",
        Environment::Development => "DEV",
        Environment::Unspecified => "UNKNOWN",
    };
    format!("[{tier}][{environment}]")
}
