//! What Patroni answers. Everything is optional: what a version does not say is absent, and never false or zero.
//!
//! Patroni's lag and positions are left out on purpose: they are as old as its last round, and "unknown" or 0 where nothing
//! was measured.

use serde::Deserialize;
use serde_json::{Map, Value};

/// `GET /patroni`, a member about itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct MemberStatus {
    pub state: String,
    pub role: String,
    /// Seconds since 1970, by the member's clock.
    pub dcs_last_seen: Option<i64>,
    /// Absent: not paused.
    pub pause: bool,
    pub pending_restart: bool,
    /// Absent: somebody leads.
    pub cluster_unlocked: bool,
    pub patroni: About,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct About {
    pub version: String,
    pub scope: String,
    pub name: String,
}

impl MemberStatus {
    /// "master" was the word before 4.0.
    pub(super) fn role(&self) -> &str {
        if self.role == "master" { "primary" } else { &self.role }
    }
}

/// `GET /cluster`, what the members agree on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Cluster {
    pub members: Vec<Member>,
    /// Absent: not paused.
    pub pause: bool,
    pub scheduled_switchover: Option<ScheduledSwitchover>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Member {
    pub name: String,
    pub role: String,
    pub state: String,
    pub tags: Map<String, Value>,
    pub pending_restart: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ScheduledSwitchover {
    pub at: String,
}

impl Cluster {
    /// The one that holds the lock. More than one is no answer that can be worked with.
    pub(super) fn leader(&self) -> Option<&str> {
        let leads = |member: &&Member| matches!(member.role.as_str(), "leader" | "master" | "standby_leader");
        let mut leaders = self.members.iter().filter(leads);
        match (leaders.next(), leaders.next()) {
            (Some(leader), None) => Some(&leader.name),
            _ => None,
        }
    }

    pub(super) fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    /// "a: leader, running; b: replica, streaming"
    pub(super) fn shown(&self) -> String {
        let member = |m: &Member| format!("{}: {}, {}", m.name, m.role, m.state);
        self.members.iter().map(member).collect::<Vec<_>>().join("; ")
    }
}

impl Member {
    /// Whether its operator said that it must never lead.
    pub(super) fn must_not_lead(&self) -> bool {
        let said = |name: &str| self.tags.get(name).map(Value::to_string).unwrap_or_default();
        said("nofailover") == "true" || said("failover_priority") == "0"
    }
}

/// `GET /config`, the settings of the cluster; absent ones have Patroni's defaults.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Config {
    /// Seconds.
    pub ttl: u64,
    pub loop_wait: u64,
    pub maximum_lag_on_failover: u64,
    /// A boolean, a string, or "quorum".
    pub synchronous_mode: Value,
    /// The cluster follows another one.
    pub standby_cluster: Option<Value>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ttl: 30,
            loop_wait: 10,
            maximum_lag_on_failover: 1 << 20,
            synchronous_mode: Value::Bool(false),
            standby_cluster: None,
        }
    }
}

impl Config {
    /// Only the synchronous standby may lead.
    pub(super) fn is_synchronous(&self) -> bool {
        match &self.synchronous_mode {
            Value::Bool(on) => *on,
            Value::String(word) => matches!(word.to_lowercase().as_str(), "on" | "true" | "yes" | "1"),
            _ => false,
        }
    }
}

/// One entry of `GET /history`: a timeline, and where the next one left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fork {
    pub timeline: u32,
    pub lsn: u64,
}

/// `[timeline, lsn, reason, time, leader]`, the last two not always.
pub(super) fn forks(history: &[Vec<Value>]) -> Vec<Fork> {
    let fork = |entry: &Vec<Value>| {
        let timeline = u32::try_from(entry.first()?.as_u64()?).ok()?;
        Some(Fork { timeline, lsn: entry.get(1)?.as_u64()? })
    };
    history.iter().filter_map(fork).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn a_lag_that_is_no_number_hinders_nothing_and_is_not_read() {
        let text = r#"{"members": [
            {"name": "a", "role": "leader", "state": "running", "api_url": "http://x", "timeline": 1},
            {"name": "b", "role": "replica", "state": "streaming", "lag": "unknown", "tags": {"nofailover": true}}],
            "scope": "ledger"}"#;
        let cluster: Cluster = serde_json::from_str(text).unwrap();
        assert_eq!(cluster.leader(), Some("a"));
        assert!(!cluster.pause && cluster.scheduled_switchover.is_none());
        assert!(cluster.member("b").unwrap().must_not_lead() && !cluster.member("a").unwrap().must_not_lead());
        assert_eq!(cluster.shown(), "a: leader, running; b: replica, streaming");
    }

    #[test]
    fn two_leaders_and_none_are_nobody() {
        let cluster = |roles: [&str; 2]| Cluster {
            members: roles.map(|role| Member { name: role.into(), role: role.into(), ..Member::default() }).into(),
            ..Cluster::default()
        };
        assert_eq!(cluster(["leader", "leader"]).leader(), None);
        assert_eq!(cluster(["replica", "replica"]).leader(), None);
        assert_eq!(cluster(["replica", "leader"]).leader(), Some("leader"));
    }

    #[test]
    fn settings_that_are_absent_have_patronis_defaults() {
        let config: Config = serde_json::from_str(r#"{"loop_wait": 1, "synchronous_mode": "on"}"#).unwrap();
        assert_eq!((config.ttl, config.loop_wait, config.is_synchronous()), (30, 1, true));
        assert!(!Config::default().is_synchronous());
    }

    #[test]
    fn history_entries_may_be_short_and_broken_ones_are_left_out() {
        let history: Vec<Vec<Value>> = serde_json::from_str(
            r#"[[1, 50331808, "no recovery target specified"], ["x", 2], [], [2, 67108864, "r", "t", "b"]]"#,
        )
        .unwrap();
        assert_eq!(forks(&history), [Fork { timeline: 1, lsn: 50_331_808 }, Fork { timeline: 2, lsn: 67_108_864 }]);
    }
}
