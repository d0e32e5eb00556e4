//! Whether the servers still are what the log's guarantees rest on: at start-up, in the audit and in `muster doctor`.

use std::fmt;

use async_nats::jetstream::stream::Config;
use serde_json::Value;

use crate::{
    EventLog,
    error::LogError,
    names::OBSERVATION_SHARDS,
    retry::{PATIENCE, Patience},
};

/// The first with atomic batch publish and message schedules.
pub const OLDEST_SERVER: &str = "2.12.0";

/// The JetStream API level of that version. In a cluster the lowest member's counts.
const OLDEST_API_LEVEL: u64 = 2;

/// The settings that a guarantee hangs on. Others (description, placement, compression) may differ.
const COMPARED: &[&str] = &[
    "subjects",
    "retention",
    "storage",
    "num_replicas",
    "max_msgs_per_subject",
    "max_msgs",
    "max_bytes",
    "max_age",
    "max_msg_size",
    "discard",
    "discard_new_per_subject",
    "deny_delete",
    "deny_purge",
    "allow_rollup_hdrs",
    "allow_direct",
    "allow_atomic",
    "allow_msg_schedules",
    "allow_msg_ttl",
    "sealed",
    "no_ack",
    "mirror",
    "sources",
    "subject_transform",
    "republish",
    "subject_delete_marker_ttl",
];

/// One thing that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The stream, or "server".
    pub of: String,
    /// "max_age"
    pub setting: String,
    pub expected: String,
    pub found: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} must be {}, is {}", self.of, self.setting, self.expected, self.found)
    }
}

/// What `verify` saw.
#[derive(Debug, Clone)]
pub struct Verified {
    pub server_version: String,
    pub streams: usize,
    /// Empty: all is as it must be.
    pub differences: Vec<Difference>,
}

impl EventLog {
    /// Compares the server's version and API level, every stream's configuration, and whether a tenant's log has lost entries.
    pub async fn verify(&self) -> Result<Verified, LogError> {
        let server_version = self.server_version();
        let mut differences = Vec::new();
        if !is_new_enough(&server_version) {
            let expected = format!("{OLDEST_SERVER} or newer");
            differences.push(Difference {
                of: "server".to_owned(),
                setting: "version".to_owned(),
                expected,
                found: server_version.clone(),
            });
        }
        let level = self.api_level().await?;
        if level < OLDEST_API_LEVEL {
            let expected = format!("{OLDEST_API_LEVEL} or higher");
            let setting = "JetStream API level".to_owned();
            differences.push(Difference { of: "server".to_owned(), setting, expected, found: level.to_string() });
        }
        let mut configs = vec![self.control_config(), self.timer_config(), self.lease_config()];
        configs.extend((0..OBSERVATION_SHARDS).map(|shard| self.observation_config(shard)));
        let shared = configs.len();
        for tenant in self.tenants().await? {
            configs.push(self.record_config(&tenant));
        }
        for (index, config) in configs.iter().enumerate() {
            differences.extend(self.compare(config).await?);
            if index >= shared {
                differences.extend(self.losses(&config.name).await?);
            }
        }
        Ok(Verified { server_version, streams: configs.len(), differences })
    }

    async fn api_level(&self) -> Result<u64, LogError> {
        let mut patience = Patience::new(PATIENCE);
        loop {
            match self.jetstream().query_account().await {
                Ok(account) => return Ok(account.requests.level as u64),
                Err(_) if patience.pause().await => {}
                Err(error) => {
                    let last = error.to_string();
                    return Err(LogError::Unavailable {
                        doing: "asking for the API level",
                        tried_for: patience.waited(),
                        last,
                    });
                }
            }
        }
    }

    /// How one stream differs from what it must be.
    pub(crate) async fn compare(&self, expected: &Config) -> Result<Vec<Difference>, LogError> {
        let missing = |what: &str| {
            vec![Difference {
                of: expected.name.clone(),
                setting: "stream".to_owned(),
                expected: "there".to_owned(),
                found: what.to_owned(),
            }]
        };
        let Some(info) = self.stream_info_waiting(&expected.name).await? else { return Ok(missing("missing")) };
        let (Ok(wanted), Some(found)) = (serde_json::to_value(expected), info.get("config")) else {
            return Ok(missing("not understood"));
        };
        let differs = |setting: &&str| {
            let (wanted, found) = (setting_of(&wanted, setting), setting_of(found, setting));
            (wanted != found).then(|| Difference {
                of: expected.name.clone(),
                setting: (*setting).to_owned(),
                expected: wanted.to_string(),
                found: found.to_string(),
            })
        };
        Ok(COMPARED.iter().filter_map(differs).collect())
    }

    /// A log that nobody may delete from has every sequence from 1 on.
    async fn losses(&self, stream: &str) -> Result<Vec<Difference>, LogError> {
        let info = self.stream_info_waiting(stream).await?.unwrap_or_default();
        let state = |name: &str| info.pointer(&format!("/state/{name}")).and_then(Value::as_u64).unwrap_or(0);
        let lost = info.pointer("/state/lost/msgs").and_then(Value::as_array).map_or(0, Vec::len) as u64;
        let first = if state("messages") == 0 && state("last_seq") == 0 { 1 } else { state("first_seq") };
        let facts = [
            ("first sequence", 1, first),
            ("deleted entries", 0, state("num_deleted")),
            ("lost entries", 0, lost),
            ("entries", state("last_seq"), state("messages")),
        ];
        let broken = facts.into_iter().filter(|(_, expected, found)| expected != found);
        Ok(broken
            .map(|(setting, expected, found)| Difference {
                of: stream.to_owned(),
                setting: setting.to_owned(),
                expected: expected.to_string(),
                found: found.to_string(),
            })
            .collect())
    }
}

/// Absent, null, false, 0 and empty mean the same in the server's answer.
fn setting_of(config: &Value, setting: &str) -> Value {
    let empty = match config.get(setting) {
        None | Some(Value::Null | Value::Bool(false)) => true,
        Some(Value::Number(n)) => n.as_i64() == Some(0),
        Some(Value::String(s)) => s.is_empty(),
        Some(Value::Array(a)) => a.is_empty(),
        Some(_) => false,
    };
    if empty { Value::Null } else { config[setting].clone() }
}

pub(crate) fn is_new_enough(version: &str) -> bool {
    let number =
        |text: &str| text.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse::<u32>().ok()).unwrap_or(0);
    let parts = |text: &str| text.split('.').take(3).map(number).collect::<Vec<_>>();
    parts(version) >= parts(OLDEST_SERVER)
}

#[cfg(test)]
mod tests {
    use super::is_new_enough;

    #[test]
    fn versions_compare_by_number_not_by_text() {
        for (version, enough) in [
            ("2.9.10", false),
            ("2.11.9", false),
            ("2.12.0", true),
            ("2.12.0-RC.1", true),
            ("2.15.1", true),
            ("10.0.0", true),
            ("", false),
        ] {
            assert_eq!(is_new_enough(version), enough, "{version}");
        }
    }
}
