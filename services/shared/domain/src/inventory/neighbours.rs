//! One server under two names. A second resource that can move the servers of a first must not be the easier way to move
//! them: who has to approve follows the tier and the environment, so both are the same for both.

use std::net::IpAddr;

use super::TenantInventory;
use super::platform::{NodeRef, credentials, nodes};
use super::validate::{Finding, shorten};
use crate::delivery::message::{environment_name, tier_name};
use crate::pb::inventory::v1::ResourceSpec;

/// Another resource that names one of the servers.
#[derive(Debug, Clone)]
pub struct Neighbour<'a> {
    pub name: &'a str,
    pub spec: &'a ResourceSpec,
    /// Where the server that both name is, as this resource's own manifest says it.
    pub address: String,
}

impl Neighbour<'_> {
    /// What would have to be the same, and is not: "tier 1, production".
    pub fn decided_otherwise(&self, spec: &ResourceSpec) -> Option<String> {
        let differs = can_be_moved(spec)
            && can_be_moved(self.spec)
            && (spec.tier(), spec.environment()) != (self.spec.tier(), self.spec.environment());
        differs.then(|| decided_as(self.spec))
    }
}

impl TenantInventory {
    /// The other resources that name a server of this one, each with the first one they share.
    pub fn neighbours<'a>(&'a self, name: &str, spec: &ResourceSpec) -> Vec<Neighbour<'a>> {
        let mine: Vec<NodeRef<'_>> = spec.platform.iter().flat_map(nodes).collect();
        let others = self.resources().filter(|(document, _)| document.name != name);
        others
            .filter_map(|(document, other)| {
                let theirs: Vec<NodeRef<'_>> = other.platform.iter().flat_map(nodes).collect();
                let shared = mine.iter().find(|node| theirs.iter().any(|their| same_server(node, their)))?;
                Some(Neighbour { name: &document.name, spec: other, address: address(shared) })
            })
            .collect()
    }
}

/// "tier 1, production"
pub fn decided_as(spec: &ResourceSpec) -> String {
    format!("{}, {}", tier_name(spec.tier()), environment_name(spec.environment()))
}

pub(super) fn validate_neighbours(found: &mut Finding, name: &str, spec: &ResourceSpec, others: &TenantInventory) {
    for neighbour in others.neighbours(name, spec) {
        found.warn(format!("{} is also a node of resource {}", neighbour.address, neighbour.name));
        if let Some(theirs) = neighbour.decided_otherwise(spec) {
            found.fault(
                if spec.tier() == neighbour.spec.tier() { "spec.environment" } else { "spec.tier" },
                "what is on one server is moved by the leave of the same people",
                format!("{} on {}, which is also a node of resource {}", decided_as(spec), neighbour.address, neighbour.name),
                theirs,
                "give both resources the same tier and environment, or leave out the execute account of the one that is watched only",
            );
        }
    }
}

/// One address, or one agent on its host: an agent acts on one server alone.
fn same_server(a: &NodeRef<'_>, b: &NodeRef<'_>) -> bool {
    same_address(a, b) || (!a.agent.is_empty() && a.agent == b.agent)
}

pub(super) fn same_address(a: &NodeRef<'_>, b: &NodeRef<'_>) -> bool {
    let same_host = a.host.eq_ignore_ascii_case(b.host) || (is_loopback(a.host) && is_loopback(b.host));
    same_host && a.port == b.port
}

pub(super) fn address(node: &NodeRef<'_>) -> String {
    format!("{}:{}", shorten(node.host), node.port)
}

pub(super) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn can_be_moved(spec: &ResourceSpec) -> bool {
    spec.platform.as_ref().is_some_and(|platform| credentials(platform).execute.is_some())
}
