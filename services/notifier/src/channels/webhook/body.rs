//! The body: thin, with the tenant inside `data`. Details are fetched over the API with a login.

use muster_domain::delivery::message::{Message, clip};
use serde_json::{Map, Value, json};

use crate::channels::Attempt;

/// Receivers of Standard Webhooks expect less than this.
const MAX_BODY_BYTES: usize = 20_000;

/// A text in a body that had to be shortened.
const MAX_SHORT_TEXT: usize = 1_000;

/// The bytes that are signed and sent.
pub(super) fn json(attempt: &Attempt) -> Result<Vec<u8>, serde_json::Error> {
    let message = &attempt.message;
    let mut data = essentials(message, attempt);
    let mut words = Map::new();
    words.insert("reasons".into(), json!(message.reasons));
    words.insert("loss".into(), json!(message.loss));
    words.insert("next_step".into(), json!(message.next_step));
    let full = bytes(message, &merged(&data, words))?;
    if full.len() <= MAX_BODY_BYTES {
        return Ok(full);
    }
    // The page has them.
    data.insert("shortened".into(), json!(true));
    data.insert("subject".into(), json!(clip(&message.subject, MAX_SHORT_TEXT)));
    data.insert("summary".into(), json!(clip(&message.summary, MAX_SHORT_TEXT)));
    bytes(message, &data)
}

fn essentials(message: &Message, attempt: &Attempt) -> Map<String, Value> {
    let mut data = Map::new();
    let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
    put("tenant", json!(message.tenant));
    put("event_id", json!(message.event_id));
    put("resource", json!(message.resource));
    put("tier", json!(message.tier));
    put("environment", json!(message.environment));
    put("severity", json!(message.severity));
    put("subject", json!(message.subject));
    put("summary", json!(message.summary));
    put("link", json!(attempt.link));
    put("repetition", json!(message.repetition));
    put("test", json!(message.test));
    for (name, value) in [
        ("request_id", &message.request_id),
        ("alert_id", &message.alert_id),
        ("alert_kind", &message.alert_kind),
        ("runbook_url", &message.runbook_url),
    ] {
        if !value.is_empty() {
            put(name, json!(value));
        }
    }
    data
}

fn merged(data: &Map<String, Value>, more: Map<String, Value>) -> Map<String, Value> {
    data.clone().into_iter().chain(more).collect()
}

fn bytes(message: &Message, data: &Map<String, Value>) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&json!({ "type": message.kind, "timestamp": message.occurred_at.to_string(), "data": data }))
}
