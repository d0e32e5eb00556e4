//! What each node answered, and what it left out.

use super::gtid::{History, Position};
use crate::pb::observation::v1::{MariadbFacts, node_observation};
use crate::readiness::code::{Code, Finding};
use crate::readiness::look;
use crate::readiness::replication::Role;

pub(super) type Look<'a> = look::Look<'a, MariadbFacts>;
pub(super) type Seen<'a> = look::Seen<'a, MariadbFacts>;

pub(super) fn facts(result: &node_observation::Result) -> Option<&MariadbFacts> {
    if let node_observation::Result::Mariadb(facts) = result { Some(facts) } else { None }
}

/// What a server is. Where replication is set up it is a standby, whether it refuses writes or not; without that, one that
/// accepts writes is a primary. `None`: it did not tell.
pub fn role(facts: &MariadbFacts) -> Option<Role> {
    if facts.limited_view {
        return None;
    }
    match (&facts.replica, facts.read_only) {
        (Some(_), _) | (None, Some(true)) => Some(Role::Standby),
        (None, Some(false)) => Some(Role::Primary),
        (None, None) => None,
    }
}

/// Everything the server has: what it wrote and what it applied. `None`: it did not tell.
pub fn position(facts: &MariadbFacts) -> Option<Position> {
    let written: Position = facts.gtid_binlog_pos.as_deref()?.parse().ok()?;
    let applied: Position = facts.gtid_slave_pos.as_deref()?.parse().ok()?;
    Some(written.merged(&applied))
}

/// What a standby holds, applied or not. Received, because everything received is applied before a promotion.
pub fn received(facts: &MariadbFacts) -> Option<Position> {
    let applied = position(facts)?;
    match facts.replica.as_ref().and_then(|replica| replica.gtid_io_pos.as_deref()).filter(|at| !at.is_empty()) {
        Some(text) => Some(text.parse().ok()?),
        None => Some(applied),
    }
}

/// Every transaction the server is known to have, by domain and writer.
pub fn history(facts: &MariadbFacts) -> Option<History> {
    let mut history: History = facts.gtid_binlog_state.as_deref().unwrap_or_default().parse().ok()?;
    history.add(position(facts)?.gtids());
    Some(history)
}

/// What an answer leaves out, and what makes it no server of this kind.
pub(super) fn hidden(looks: &[Look<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (node, facts) in looks.iter().filter_map(|l| l.answer.map(|a| (l.node.name, a.facts))) {
        if facts.limited_view {
            let text = format!(
                "{node}: the monitor account does not see replication (SLAVE MONITOR or BINLOG MONITOR is missing)."
            );
            findings.push(Finding::new(Code::PermissionLimited, text));
        } else if role(facts).is_none() {
            findings
                .push(Finding::new(Code::RoleUnknown, format!("{node}: it did not tell whether it accepts writes.")));
        }
        if facts.wsrep_on == Some(true) {
            let text =
                format!("{node}: wsrep_on is ON. A Galera cluster has its own roles; it is not judged as a pair.");
            findings.push(Finding::new(Code::GaleraActive, text));
        }
    }
    findings
}
