//! The kinds with few fields: `Tenant`, `Site` and `Group`.

use muster_domain::pb::inventory::v1::{GroupMember, GroupSpec, SiteSpec, TenantSpec};

use super::{fault::Faults, fields::Fields, node::Node};

pub(super) fn tenant(mut fields: Fields<'_, '_>) -> TenantSpec {
    let spec = TenantSpec { display_name: fields.text("displayName"), region: fields.text("region") };
    fields.finish();
    spec
}

pub(super) fn site(mut fields: Fields<'_, '_>) -> SiteSpec {
    let spec = SiteSpec { display_name: fields.text("displayName"), region: fields.text("region") };
    fields.finish();
    spec
}

pub(super) fn group(mut fields: Fields<'_, '_>) -> GroupSpec {
    let spec = GroupSpec { display_name: fields.text("displayName"), members: fields.list("members", member) };
    fields.finish();
    spec
}

fn member(node: &Node, path: &str, faults: &Faults) -> Option<GroupMember> {
    let mut fields = Fields::of(node, path, faults)?;
    let member = GroupMember { resource: fields.text("resource"), depends_on: fields.texts("dependsOn") };
    fields.finish();
    Some(member)
}
