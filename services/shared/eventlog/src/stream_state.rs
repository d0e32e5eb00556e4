//! The streams themselves, as somebody sees them who watches whether they are left alone: what the server says they are,
//! and what it tells about changes of them.
//!
//! An advisory is told once, to who listens at that moment; what happened while nobody did shows in the state.

use std::collections::BTreeMap;

use futures::{Stream, StreamExt};
use muster_domain::TenantId;
use serde::Deserialize;
use serde_json::Value;

use crate::{EventLog, error::LogError, retry::REQUEST_TIMEOUT};

/// Created, modified, deleted, restored, a new leader: all the server says about streams. Not who did it.
const ADVISORIES: &str = "$JS.EVENT.ADVISORY.STREAM.>";
/// Every call of the JetStream API, with who made it. The server makes them only for who listens.
const API_CALLS: &str = "$JS.EVENT.ADVISORY.API";
/// Calls that change a stream, and the word of [`StreamAdvisory::action`] for each.
const CHANGING: [(&str, &str); 6] = [
    ("$JS.API.STREAM.UPDATE.", "modify"),
    ("$JS.API.STREAM.CREATE.", "create"),
    ("$JS.API.STREAM.DELETE.", "delete"),
    ("$JS.API.STREAM.PURGE.", "purge"),
    ("$JS.API.STREAM.RESTORE.", "restore"),
    ("$JS.API.STREAM.MSG.DELETE.", "delete message"),
];
/// Filled in by the server for itself, and different after each of its upgrades.
const SERVERS_OWN: &str = "_nats.";

/// A tenant's record stream as the server describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamState {
    pub stream: String,
    /// Its configuration as canonical JSON: sorted names, no blanks, nothing that the server adds for itself.
    pub config: String,
    /// When the server made it: another time is another stream, whatever its name.
    pub created: String,
    pub first_sequence: u64,
    pub last_sequence: u64,
    /// Entries between the two that are not there.
    pub deleted: u64,
}

/// Something that the server says was done to a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamAdvisory {
    pub stream: String,
    /// The server's word: "create", "modify", "delete", "restore", …
    pub action: String,
    /// Who did it, user or name of the connection, and address; empty where the server does not say it. It tells each
    /// change twice, and only one of the two says who.
    pub by: String,
}

impl EventLog {
    /// The name of a tenant's record stream.
    pub fn record_stream_name(&self, tenant: &TenantId) -> String {
        self.names().record_stream(tenant)
    }

    /// What the server says about a tenant's record stream. `None`: it is not there.
    pub async fn record_stream_state(&self, tenant: &TenantId) -> Result<Option<StreamState>, LogError> {
        let stream = self.names().record_stream(tenant);
        Ok(self.stream_info(&stream).await?.map(|info| state(stream, &info)))
    }

    /// How the record stream of a tenant must be configured, in the words of [`StreamState::config`], and how it differs.
    pub async fn record_stream_differences(&self, tenant: &TenantId) -> Result<Vec<crate::Difference>, LogError> {
        self.compare(&self.record_config(tenant)).await
    }

    /// The advisories from now on. Never ends, and outlives lost connections; what happened meanwhile is not told.
    pub async fn stream_advisories(&self) -> Result<impl Stream<Item = StreamAdvisory> + Send + 'static, LogError> {
        let unavailable = |error: async_nats::SubscribeError| LogError::Unavailable {
            doing: "listening to what happens to streams",
            tried_for: REQUEST_TIMEOUT,
            last: error.to_string(),
        };
        let streams = self.client().subscribe(ADVISORIES).await.map_err(unavailable)?;
        let calls = self.client().subscribe(API_CALLS).await.map_err(unavailable)?;
        let told = streams.filter_map(|message| std::future::ready(advisory(&message.payload)));
        let called = calls.filter_map(|message| std::future::ready(api_call(&message.payload)));
        Ok(futures::stream::select(told, called))
    }
}

fn state(stream: String, info: &Value) -> StreamState {
    let number = |name: &str| info.pointer(&format!("/state/{name}")).and_then(Value::as_u64).unwrap_or(0);
    let (first_sequence, last_sequence) = (number("first_seq"), number("last_seq"));
    // What was taken out of its files is not counted as deleted, only as not there.
    let room = (last_sequence + 1).saturating_sub(first_sequence.max(1));
    StreamState {
        stream,
        config: canonical_config(info.get("config").unwrap_or(&Value::Null)),
        created: info.get("created").and_then(Value::as_str).unwrap_or_default().to_owned(),
        first_sequence,
        last_sequence,
        deleted: room.saturating_sub(number("messages")).max(number("num_deleted")),
    }
}

fn canonical_config(config: &Value) -> String {
    let mut config = config.clone();
    if let Some(metadata) = config.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|name, _| !name.starts_with(SERVERS_OWN));
    }
    canonical(&config)
}

fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<&String, &Value> = fields.iter().collect();
            let fields =
                sorted.iter().map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        plain => plain.to_string(),
    }
}

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    stream: String,
    #[serde(default)]
    action: String,
}

#[derive(Deserialize)]
struct Called {
    subject: String,
    #[serde(default)]
    client: Client,
    /// JSON in a string.
    #[serde(default)]
    response: String,
}

#[derive(Deserialize, Default)]
struct Client {
    #[serde(default)]
    user: String,
    #[serde(default)]
    host: String,
    #[serde(default)]
    name: String,
}

impl Client {
    fn words(self) -> String {
        let named = [self.user, self.name].into_iter().find(|name| !name.is_empty()).unwrap_or_default();
        if self.host.is_empty() { named } else { format!("{named} from {}", self.host).trim().to_owned() }
    }
}

fn advisory(payload: &[u8]) -> Option<StreamAdvisory> {
    let told: Told = serde_json::from_slice(payload).ok()?;
    let is_one = !told.stream.is_empty() && !told.action.is_empty();
    is_one.then(|| StreamAdvisory { stream: told.stream, action: told.action, by: String::new() })
}

/// A call that changed a stream. Most calls do not, and those that read messages are long: nothing of them is parsed.
fn api_call(payload: &[u8]) -> Option<StreamAdvisory> {
    let text = str::from_utf8(payload).ok()?;
    let (_, from_subject) = text.split_once("\"subject\":\"")?;
    let (prefix, action) = CHANGING.iter().find(|(prefix, _)| from_subject.starts_with(prefix))?;
    let called: Called = serde_json::from_str(text).ok()?;
    let stream = called.subject.strip_prefix(prefix)?.to_owned();
    let response: Value = serde_json::from_str(&called.response).unwrap_or_default();
    // What was refused changed nothing.
    response.get("error").is_none().then(|| StreamAdvisory {
        stream,
        action: (*action).to_owned(),
        by: called.client.words(),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use serde_json::json;

    use super::*;

    #[test]
    fn one_configuration_has_one_text_whatever_the_server_adds_and_in_which_order() {
        let mut config: Value =
            serde_json::from_str(r#"{"name":"REC","max_age":0,"subjects":["b","a"],"metadata":{"_nats.ver":"2.12"}}"#)
                .unwrap();
        let text = canonical_config(&config);
        assert_eq!(text, r#"{"max_age":0,"metadata":{},"name":"REC","subjects":["b","a"]}"#);
        config["metadata"]["_nats.ver"] = json!("2.15");
        assert_eq!(canonical_config(&config), text);
        config["max_age"] = json!(1);
        assert_ne!(canonical_config(&config), text);
    }

    #[test]
    fn what_is_missing_between_the_ends_counts_whatever_the_server_calls_it() {
        let deleted = |state: Value| super::state("R".to_owned(), &json!({ "state": state })).deleted;
        assert_eq!(deleted(json!({"first_seq": 1, "last_seq": 28, "messages": 28})), 0);
        assert_eq!(deleted(json!({"first_seq": 1, "last_seq": 28, "messages": 26})), 2);
        assert_eq!(deleted(json!({"first_seq": 5, "last_seq": 28, "messages": 21, "num_deleted": 3})), 3);
        assert_eq!(deleted(json!({"first_seq": 0, "last_seq": 0, "messages": 0})), 0);
        // Emptied: it begins after its last entry.
        assert_eq!(deleted(json!({"first_seq": 29, "last_seq": 28, "messages": 0})), 0);
    }

    #[test]
    fn an_advisory_says_what_was_done_and_an_api_call_by_whom() {
        let told = |action: &str, by: &str| {
            Some(StreamAdvisory { stream: "REC_acme_1".into(), action: action.into(), by: by.into() })
        };
        // As nats-server 2.15 writes them.
        let payload =
            json!({"type": "io.nats.jetstream.advisory.v1.stream_action", "stream": "REC_acme_1", "action": "delete"});
        assert_eq!(advisory(payload.to_string().as_bytes()), told("delete", ""));
        assert_eq!(advisory(b"{}"), None);
        assert_eq!(advisory(b"not json"), None);

        let call = |subject: &str, client: Value, response: &str| {
            let call = format!(
                r#"{{"type":"io.nats.jetstream.advisory.v1.api_audit","client":{client},"subject":"{subject}","response":{}}}"#,
                json!(response)
            );
            api_call(call.as_bytes())
        };
        let (user, name) =
            (json!({"user": "root", "name": "cli", "host": "10.0.0.9"}), json!({"name": "cli", "host": "10.0.0.9"}));
        assert_eq!(call("$JS.API.STREAM.UPDATE.REC_acme_1", user.clone(), "{}"), told("modify", "root from 10.0.0.9"));
        assert_eq!(call("$JS.API.STREAM.PURGE.REC_acme_1", name, "{}"), told("purge", "cli from 10.0.0.9"));
        assert_eq!(call("$JS.API.STREAM.MSG.DELETE.REC_acme_1", json!({}), "{}"), told("delete message", ""));
        assert_eq!(call("$JS.API.STREAM.UPDATE.REC_acme_1", user.clone(), r#"{"error":{"code":500}}"#), None);
        assert_eq!(call("$JS.API.STREAM.INFO.REC_acme_1", user, "{}"), None);
        assert_eq!(api_call(b"not json"), None);
    }
}
