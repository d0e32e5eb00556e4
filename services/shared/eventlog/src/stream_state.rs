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

/// Created, modified, deleted, restored, a new leader: all the server says about streams.
const ADVISORIES: &str = "$JS.EVENT.ADVISORY.STREAM.>";
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
    /// Who did it, as far as the server says: user and address.
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
        let subscriber = self.client().subscribe(ADVISORIES).await.map_err(|error| LogError::Unavailable {
            doing: "listening to what happens to streams",
            tried_for: REQUEST_TIMEOUT,
            last: error.to_string(),
        })?;
        Ok(subscriber.filter_map(|message| std::future::ready(advisory(&message.payload))))
    }
}

fn state(stream: String, info: &Value) -> StreamState {
    let number = |name: &str| info.pointer(&format!("/state/{name}")).and_then(Value::as_u64).unwrap_or(0);
    StreamState {
        stream,
        config: canonical_config(info.get("config").unwrap_or(&Value::Null)),
        created: info.get("created").and_then(Value::as_str).unwrap_or_default().to_owned(),
        first_sequence: number("first_seq"),
        last_sequence: number("last_seq"),
        deleted: number("num_deleted"),
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
    #[serde(default)]
    client: Option<Client>,
}

#[derive(Deserialize)]
struct Client {
    #[serde(default)]
    user: String,
    #[serde(default)]
    host: String,
    #[serde(default)]
    name: String,
}

fn advisory(payload: &[u8]) -> Option<StreamAdvisory> {
    let told: Told = serde_json::from_slice(payload).ok()?;
    let by = told.client.map(|client| {
        let named = [client.user, client.name].into_iter().find(|name| !name.is_empty()).unwrap_or_default();
        format!("{named} from {}", client.host).trim().to_owned()
    });
    let is_one = !told.stream.is_empty() && !told.action.is_empty();
    is_one.then(|| StreamAdvisory { stream: told.stream, action: told.action, by: by.unwrap_or_default() })
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
    fn an_advisory_says_what_was_done_by_whom() {
        let payload =
            json!({"stream": "REC_acme_1", "action": "delete", "client": {"user": "root", "host": "10.0.0.9"}});
        let expected =
            StreamAdvisory { stream: "REC_acme_1".into(), action: "delete".into(), by: "root from 10.0.0.9".into() };
        assert_eq!(advisory(payload.to_string().as_bytes()), Some(expected));
        assert_eq!(advisory(b"{}"), None);
        assert_eq!(advisory(b"not json"), None);
    }
}
