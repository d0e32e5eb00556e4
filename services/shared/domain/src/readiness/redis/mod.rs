//! Redis and Valkey replication: from what two servers answered to platform-neutral facts.
//!
//! Where lag lies (contract sheet): `lag` on the primary is the age of the last acknowledgement; an idle pair stands at
//! equal offsets whether the link lives or not; a frozen primary stays `link up` for a minute; a restarted empty primary
//! has a new replication id, and its replica is emptied within the second. So offsets count only under one replication
//! id, only while the link was seen alive, and a history that began anew is told.

mod answers;
mod identity;
mod link;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

use self::answers::{Look, Seen, facts, hidden};
pub use self::answers::{primary_sample, role};
use self::identity::{collapsed, compare, role_conflict};
use self::link::{link, standby};
use super::code::Code;
use super::knowledge::{Accepted, Knowledge, Line, Sample};
use super::look::{both, clock_findings, declared_pair, look, on_dr_site, one, sides, with_role};
use super::replication::{Link, Replication, Role};
use crate::inventory::platform::NodeRef;
use crate::pb::common::v1::Marker;
use crate::pb::inventory::v1::{Node, RedisTarget, ResourceSpec};
use crate::pb::observation::v1::Observation;
use crate::time::{from_pb, to_pb};

/// Interprets one observation. `None`: not newer than what is known. `now` is the monitor's clock.
pub fn interpret(
    spec: &ResourceSpec,
    target: &RedisTarget,
    observation: &Observation,
    now: Timestamp,
    knowledge: &mut Knowledge,
) -> Option<Replication> {
    let Accepted::Yes { observed_at, clock_went_back } = knowledge.accept(observation, now) else { return None };
    knowledge.keep_nodes(&target.nodes.iter().map(|n| n.name.as_str()).collect::<Vec<_>>());
    let nodes: Vec<NodeRef<'_>> = target.nodes.iter().map(node_ref).collect();
    let looks: Vec<Look<'_>> = nodes.iter().map(|node| look(*node, observation, observed_at, facts)).collect();
    let mut findings = clock_findings(observed_at, now, clock_went_back);
    findings.extend(looks.iter().filter_map(|l| l.failure.clone()));
    findings.extend(hidden(&looks));
    findings.extend(declared_pair(&nodes));

    let (primaries, standbys) = (with_role(&looks, Role::Primary, role), with_role(&looks, Role::Standby, role));
    for (seen, role) in primaries.iter().map(|p| (p, Role::Primary)).chain(standbys.iter().map(|s| (s, Role::Standby)))
    {
        knowledge.node_seen(seen.node.name, role, seen.read_at);
    }
    let primary = one(&primaries);
    let replica = if primaries.len() <= 1 { one(&standbys) } else { None };
    let mut incomparable = role_conflict(&primaries, &standbys, looks.len(), &mut findings);
    if let Some((p, s)) = both(primary, replica) {
        incomparable = incomparable.or_else(|| compare(p, s, knowledge, &mut findings));
    }
    let blind = [Code::RoleUnknown, Code::NodesNotTwo, Code::ClusterMode];
    let full_sight = primary.is_some() && replica.is_some() && !findings.iter().any(|f| blind.contains(&f.code));
    let comparable = incomparable.is_none();
    findings.extend(primary.and_then(|p| collapsed(p, observed_at, knowledge)));
    if comparable {
        remember_positions(primary, replica, knowledge);
    }
    let link = link(primary, replica, full_sight && comparable, &mut findings);
    if link == Link::Live {
        knowledge.link_live(observed_at);
    }
    findings.extend(standbys.iter().flat_map(|s| standby(*s)));
    findings.extend(primary.and_then(|p| on_dr_site(spec, p.node)));
    Some(Replication {
        observed_at,
        sides: sides(spec, &looks, role, observed_at, knowledge),
        link,
        full_sight,
        findings,
        primary: primary.map(|p| marker(p, Role::Primary)),
        standby: replica.map(|s| marker(s, Role::Standby)),
        active_site: primary.map(|p| p.node.site.to_owned()),
        not_received_bytes: both(primary, replica)
            .filter(|_| comparable)
            .and_then(|(p, s)| Some(p.facts.offset?.saturating_sub(s.facts.offset?))),
        // What is received is applied at once.
        not_applied_bytes: None,
        missing_bytes: knowledge.missing_bytes().filter(|_| comparable),
        caught_up_ago: knowledge.caught_up_ago(observed_at).filter(|_| comparable),
        incomparable,
    })
}

fn remember_positions(primary: Option<Seen<'_>>, standby: Option<Seen<'_>>, knowledge: &mut Knowledge) {
    if let Some(p) = primary
        && let Some((history, lsn)) = primary_sample(p.facts)
    {
        let line = Line { node: p.node.name.to_owned(), system_identifier: history, timeline: 0 };
        knowledge.primary_at(line, Sample { at: p.asked_at, lsn });
    }
    if let Some(s) = standby
        && knowledge.line().is_some_and(|line| line.system_identifier == s.facts.replid)
        && let Some(offset) = s.facts.offset
    {
        knowledge.standby_at(offset);
    }
}

fn node_ref(node: &Node) -> NodeRef<'_> {
    NodeRef { name: &node.name, site: &node.site, host: &node.host, port: node.port, agent: &node.agent }
}

fn marker(seen: Seen<'_>, role: Role) -> Marker {
    let by_node = from_pb(seen.facts.server_time.as_ref());
    Marker {
        node: seen.node.name.to_owned(),
        site: seen.node.site.to_owned(),
        system_identifier: seen.facts.replid.clone(),
        timeline: 0,
        lsn: seen.facts.offset.map(|offset| offset.to_string()).unwrap_or_default(),
        read_at: Some(to_pb(by_node.unwrap_or(seen.read_at))),
        clock: if by_node.is_some() { "node" } else { "collector" }.into(),
        role: role.word().into(),
    }
}
