//! What each node answered, and what it left out.

use crate::pb::observation::v1::{RedisFacts, node_observation};
use crate::readiness::code::{Code, Finding};
use crate::readiness::look;
use crate::readiness::replication::Role;

pub(super) type Look<'a> = look::Look<'a, RedisFacts>;
pub(super) type Seen<'a> = look::Seen<'a, RedisFacts>;

pub(super) fn facts(result: &node_observation::Result) -> Option<&RedisFacts> {
    if let node_observation::Result::Redis(facts) = result { Some(facts) } else { None }
}

/// What a server is. `None`: it did not tell.
pub fn role(facts: &RedisFacts) -> Option<Role> {
    match facts.role.as_str() {
        "master" => Some(Role::Primary),
        "slave" => Some(Role::Standby),
        _ => None,
    }
}

/// What a primary's answer is as a sample for a loss statement: which history, and how far it has come. `None`: it is no
/// primary, it did not tell, or it is just reading its data and has not come to its own end.
pub fn primary_sample(facts: &RedisFacts) -> Option<(String, u64)> {
    let serves = role(facts) == Some(Role::Primary) && facts.loading != Some(true) && !facts.replid.is_empty();
    if serves { Some((facts.replid.clone(), facts.offset?)) } else { None }
}

/// What an answer leaves out, and what makes it no server of this kind.
pub(super) fn hidden(looks: &[Look<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (node, facts) in looks.iter().filter_map(|l| l.answer.map(|a| (l.node.name, a.facts))) {
        if role(facts).is_none() {
            findings.push(Finding::new(Code::RoleUnknown, format!("{node}: it did not tell whether it is a replica.")));
        }
        if facts.cluster_enabled == Some(true) {
            let text = format!("{node}: cluster mode is on. A cluster has its own roles; it is not judged as a pair.");
            findings.push(Finding::new(Code::ClusterMode, text));
        }
        if facts.loading == Some(true) {
            let text = format!("{node}: it is reading its data from disk and does not serve yet.");
            findings.push(Finding::new(Code::NodeNotReady, text));
        }
        if !matches!(facts.failover_state.as_str(), "" | "no-failover") {
            let text = format!("{node}: a hand-over is under way ({}): writes are paused.", facts.failover_state);
            findings.push(Finding::new(Code::HandOverUnderWay, text));
        }
    }
    findings
}
