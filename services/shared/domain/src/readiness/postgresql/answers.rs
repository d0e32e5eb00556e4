//! What each node answered, or why it did not.

use crate::pb::observation::v1::{PostgresqlFacts, WalReceiver, node_observation};
use crate::readiness::code::{Code, Finding};
use crate::readiness::look;
use crate::readiness::replication::Role;

pub(super) type Look<'a> = look::Look<'a, PostgresqlFacts>;
pub(super) type Seen<'a> = look::Seen<'a, PostgresqlFacts>;

pub(super) fn facts(result: &node_observation::Result) -> Option<&PostgresqlFacts> {
    if let node_observation::Result::Postgresql(facts) = result { Some(facts) } else { None }
}

pub(super) fn role(facts: &PostgresqlFacts) -> Option<Role> {
    facts.in_recovery.map(|in_recovery| if in_recovery { Role::Standby } else { Role::Primary })
}

/// What an answer leaves out: the columns an account without pg_monitor gets as NULL, and the role.
pub(super) fn hidden(looks: &[Look<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (node, facts) in looks.iter().filter_map(|l| l.answer.map(|a| (l.node.name, a.facts))) {
        if is_limited(facts) {
            findings.push(Finding::new(
                Code::PermissionLimited,
                format!("{node}: the monitor account does not see everything it needs (pg_monitor is missing)."),
            ));
        }
        if facts.in_recovery.is_none() {
            findings
                .push(Finding::new(Code::RoleUnknown, format!("{node}: it did not tell whether it is in recovery.")));
        }
    }
    findings
}

/// Columns that a server always fills are empty for an account without pg_monitor.
pub(super) fn is_limited(facts: &PostgresqlFacts) -> bool {
    let receiver_hidden =
        |r: &WalReceiver| r.status.is_empty() || (r.status == "streaming" && r.received_timeline == 0);
    facts.limited_view || facts.system_identifier.is_empty() || facts.wal_receiver.as_ref().is_some_and(receiver_hidden)
}
