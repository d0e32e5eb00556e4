//! PostgreSQL streaming replication: from what two servers answered to platform-neutral facts.
//!
//! Where lag lies (contract sheet, traps L1 to L5): an idle primary makes the age of the last
//! replayed commit grow; a severed standby has received = replayed; a paused replay keeps a small
//! `replay_lag`; a dead peer stays `streaming` for a minute; two hosts have two clocks. So the RPO
//! indicator is computed from positions: the newest position of the primary, with the time it was
//! read, that the standby is known to hold while log was flowing.

mod answers;
mod identity;
mod link;
mod positions;

use jiff::Timestamp;

use self::answers::{Look, Seen, facts, hidden, role};
use self::identity::{compare, role_conflict};
use self::link::{link, replay, slots};
use self::positions::{position, remember_positions};
use super::code::Code;
use super::knowledge::{Accepted, Knowledge};
use super::look::{both, clock_findings, declared_pair, look, on_dr_site, one, sides, with_role};
use super::replication::{Link, Replication, Role, lsn_text};
use crate::inventory::platform::NodeRef;
use crate::pb::common::v1::Marker;
use crate::pb::inventory::v1::{PostgresqlNode, PostgresqlTarget, ResourceSpec};
use crate::pb::observation::v1::Observation;
use crate::time::{from_pb, to_pb};

/// Interprets one observation. `None`: not newer than what is known. `now` is the monitor's clock.
pub fn interpret(
    spec: &ResourceSpec,
    target: &PostgresqlTarget,
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
    for (node, role) in primaries.iter().map(|p| (p, Role::Primary)).chain(standbys.iter().map(|s| (s, Role::Standby)))
    {
        knowledge.node_seen(node.node.name, role, node.read_at);
    }
    let primary = one(&primaries);
    let standby = if primaries.len() <= 1 { one(&standbys) } else { None };
    let mut incomparable = role_conflict(&primaries, &standbys, looks.len(), &mut findings);
    if let Some((p, s)) = both(primary, standby) {
        incomparable = incomparable.or_else(|| compare(p, s, knowledge, &mut findings));
    }
    if incomparable.is_none() {
        remember_positions(target, primary, standby, knowledge, &mut findings);
    }
    let hidden_view =
        findings.iter().any(|f| matches!(f.code, Code::PermissionLimited | Code::RoleUnknown | Code::NodesNotTwo));
    let full_sight = primary.is_some() && standby.is_some() && !hidden_view;
    let link = link(primary, standby, full_sight && incomparable.is_none(), &mut findings);
    if link == Link::Live {
        knowledge.link_live(observed_at);
    }
    findings.extend(standby.iter().flat_map(|s| replay(s.facts)));
    if let Some(p) = primary {
        findings.extend(slots(p.facts, standby.and_then(|s| s.facts.wal_receiver.as_ref())));
        findings.extend(on_dr_site(spec, p.node));
    }
    let comparable = incomparable.is_none();
    Some(Replication {
        observed_at,
        sides: sides(spec, &looks, role, observed_at, knowledge),
        link,
        full_sight,
        findings,
        primary: primary.map(|p| marker(p, Role::Primary)),
        standby: standby.map(|s| marker(s, Role::Standby)),
        active_site: primary.map(|p| p.node.site.to_owned()),
        not_received_bytes: both(primary, standby)
            .filter(|_| comparable)
            .and_then(|(p, s)| Some(p.facts.current_lsn?.saturating_sub(position(s.facts)?))),
        not_applied_bytes: standby.and_then(|s| Some(position(s.facts)?.saturating_sub(s.facts.replay_lsn?))),
        missing_bytes: knowledge.missing_bytes().filter(|_| comparable),
        caught_up_ago: knowledge.caught_up_ago(observed_at).filter(|_| comparable),
        incomparable,
    })
}

fn node_ref(node: &PostgresqlNode) -> NodeRef<'_> {
    NodeRef { name: &node.name, site: &node.site, host: &node.host, port: node.port, agent: &node.agent }
}

fn marker(seen: Seen<'_>, role: Role) -> Marker {
    let lsn = match role {
        Role::Primary => seen.facts.current_lsn,
        Role::Standby => position(seen.facts),
    };
    let by_node = from_pb(seen.facts.server_time.as_ref());
    Marker {
        node: seen.node.name.to_owned(),
        site: seen.node.site.to_owned(),
        system_identifier: seen.facts.system_identifier.clone(),
        timeline: seen
            .facts
            .wal_receiver
            .as_ref()
            .map(|r| r.received_timeline)
            .filter(|t| *t != 0)
            .or(seen.facts.timeline)
            .unwrap_or(0),
        lsn: lsn.map(lsn_text).unwrap_or_default(),
        read_at: Some(to_pb(by_node.unwrap_or(seen.read_at))),
        clock: if by_node.is_some() { "node" } else { "collector" }.into(),
        role: role.word().into(),
    }
}
