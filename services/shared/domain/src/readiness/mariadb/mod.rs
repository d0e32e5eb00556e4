//! MariaDB replication by GTID: from what two servers answered to platform-neutral facts.
//!
//! Where lag lies (contract sheet): `Seconds_Behind_Master` is 0 whenever the applier is idle, so also behind a dead
//! receiver, and after a restart until the first transaction; it is NULL while a thread stands. So threads come first, and
//! the RPO indicator is computed from positions: the newest position of the primary, with the time it was read, that the
//! standby is known to hold while transactions were flowing. Positions count transactions, not bytes: missing bytes stay
//! absent.

mod answers;
pub mod gtid;
mod identity;
mod link;
mod positions;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

use self::answers::{Look, Seen, facts, hidden};
pub use self::answers::{history, position, received, role};
pub use self::gtid::{Gtid, History, InvalidGtid, Position};
use self::identity::{compare, role_conflict};
use self::link::{link, settings};
pub use self::positions::primary_sample;
use self::positions::remember_positions;
use super::code::Code;
use super::knowledge::{Accepted, Knowledge};
use super::look::{both, clock_findings, declared_pair, look, on_dr_site, one, sides, with_role};
use super::replication::{Link, Replication, Role};
use crate::inventory::platform::NodeRef;
use crate::pb::common::v1::Marker;
use crate::pb::inventory::v1::{MariadbTarget, Node, ResourceSpec};
use crate::pb::observation::v1::Observation;
use crate::time::{from_pb, to_pb};

/// Interprets one observation. `None`: not newer than what is known. `now` is the monitor's clock.
pub fn interpret(
    spec: &ResourceSpec,
    target: &MariadbTarget,
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
    let standby = if primaries.len() <= 1 { one(&standbys) } else { None };
    let mut incomparable = role_conflict(&primaries, &standbys, looks.len(), &mut findings);
    if let Some((p, s)) = both(primary, standby) {
        incomparable = incomparable.or_else(|| compare(p, s, knowledge, &mut findings));
    }
    let blind = [Code::PermissionLimited, Code::RoleUnknown, Code::NodesNotTwo, Code::GaleraActive];
    let full_sight = primary.is_some() && standby.is_some() && !findings.iter().any(|f| blind.contains(&f.code));
    let comparable = incomparable.is_none();
    if comparable {
        remember_positions(primary, standby, knowledge);
    }
    let link = link(primary, standby, full_sight && comparable, &mut findings);
    if link == Link::Live {
        knowledge.link_live(observed_at);
    }
    findings.extend(standbys.iter().flat_map(|s| link::standby(*s)));
    if let Some(p) = primary {
        findings.extend(settings(p.node.name, p.facts));
        findings.extend(on_dr_site(spec, p.node));
    }
    Some(Replication {
        observed_at,
        sides: sides(spec, &looks, role, observed_at, knowledge),
        link,
        full_sight,
        findings,
        primary: primary.map(|p| marker(p, Role::Primary)),
        standby: standby.map(|s| marker(s, Role::Standby)),
        active_site: primary.map(|p| p.node.site.to_owned()),
        not_received_bytes: None,
        not_applied_bytes: None,
        missing_bytes: None,
        caught_up_ago: knowledge.caught_up_ago(observed_at).filter(|_| comparable),
        incomparable,
    })
}

fn node_ref(node: &Node) -> NodeRef<'_> {
    NodeRef { name: &node.name, site: &node.site, host: &node.host, port: node.port, agent: &node.agent }
}

fn marker(seen: Seen<'_>, role: Role) -> Marker {
    let at = match role {
        Role::Primary => position(seen.facts),
        Role::Standby => received(seen.facts),
    };
    let by_node = from_pb(seen.facts.server_time.as_ref());
    Marker {
        node: seen.node.name.to_owned(),
        site: seen.node.site.to_owned(),
        system_identifier: at.as_ref().map(Position::system_identifier).unwrap_or_default(),
        timeline: 0,
        lsn: at.map(|at| at.to_string()).unwrap_or_default(),
        read_at: Some(to_pb(by_node.unwrap_or(seen.read_at))),
        clock: if by_node.is_some() { "node" } else { "collector" }.into(),
        role: role.word().into(),
    }
}
