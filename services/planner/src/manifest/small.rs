//! The kinds with few fields.

use muster_domain::pb::inventory::v1::{
    ContactSpec, GroupMember, GroupSpec, MessageTemplateSpec, SiteSpec, TenantSpec,
};

use super::{fault::Faults, fields::Fields, node::Node, policy::roles};

pub(super) fn tenant(mut fields: Fields<'_, '_>) -> TenantSpec {
    let spec = TenantSpec {
        display_name: fields.text("displayName"),
        region: fields.text("region"),
        language: fields.text("language"),
    };
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

pub(super) fn contact(mut fields: Fields<'_, '_>) -> ContactSpec {
    let spec = ContactSpec {
        display_name: fields.text("displayName"),
        person: fields.text("person"),
        email: fields.text("email"),
        language: fields.text("language"),
        asked_as: fields.choices("askedAs", &roles()).into_iter().map(i32::from).collect(),
        time_zone: fields.text("timeZone"),
    };
    fields.finish();
    spec
}

pub(super) fn template(mut fields: Fields<'_, '_>) -> MessageTemplateSpec {
    let spec = MessageTemplateSpec {
        kinds: fields.texts("kinds"),
        language: fields.text("language"),
        channels: fields.texts("channels"),
        subject: fields.text("subject"),
        text: fields.text("text"),
    };
    fields.finish();
    spec
}
