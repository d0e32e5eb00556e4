//! Whose a message is: the groups and owners of what it is about, so that routes can ask for them.

use crate::inventory::TenantInventory;
use crate::pb::inventory::v1::{GroupSpec, Kind, document::Spec};

use super::message::Message;

/// More groups or owners than this are not kept with a message, which has to fit into a timer.
const MAX_BELONGING: usize = 100;

/// Fills in groups and owners, as the inventory says it now.
pub fn belong(message: &mut Message, documents: &TenantInventory) {
    if message.resource.is_empty() {
        return;
    }
    let (groups, owners) = match documents.resource(&message.resource) {
        Some((_, spec)) => (groups_of(&message.resource, documents), vec![spec.owner.clone()]),
        // A request about a group carries the group's name.
        None => match group(&message.resource, documents) {
            Some(spec) => (vec![message.resource.clone()], owners_of(spec, documents)),
            None => return,
        },
    };
    message.groups = groups;
    message.owners = owners;
    message.groups.truncate(MAX_BELONGING);
    message.owners.truncate(MAX_BELONGING);
}

fn groups_of(resource: &str, documents: &TenantInventory) -> Vec<String> {
    let has = |spec: &GroupSpec| spec.members.iter().any(|member| member.resource == resource);
    let groups = documents.all(Kind::Group).filter(|document| match &document.spec {
        Some(Spec::GroupSpec(spec)) => has(spec),
        _ => false,
    });
    groups.map(|document| document.name.clone()).collect()
}

fn group<'a>(name: &str, documents: &'a TenantInventory) -> Option<&'a GroupSpec> {
    match &documents.get(Kind::Group, name)?.spec {
        Some(Spec::GroupSpec(spec)) => Some(spec),
        _ => None,
    }
}

fn owners_of(group: &GroupSpec, documents: &TenantInventory) -> Vec<String> {
    let owner = |resource: &str| documents.resource(resource).map(|(_, spec)| spec.owner.clone());
    let mut owners: Vec<String> = group.members.iter().filter_map(|member| owner(&member.resource)).collect();
    owners.sort_unstable();
    owners.dedup();
    owners
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::delivery::message::{Source, kind};
    use crate::pb::inventory::v1::{
        Document, DocumentDeclared, GroupMember, InventoryEvent, ResourceSpec, inventory_event::Event,
    };

    fn inventory(documents: Vec<(Kind, &str, Spec)>) -> TenantInventory {
        let mut inventory = TenantInventory::default();
        for (kind, name, spec) in documents {
            let document =
                Document { kind: kind.into(), name: name.to_owned(), spec: Some(spec), ..Document::default() };
            let declared = DocumentDeclared { document: Some(document), changes: Vec::new() };
            inventory.apply(&InventoryEvent { event: Some(Event::Declared(declared)) });
        }
        inventory
    }

    fn resource(owner: &str) -> Spec {
        Spec::ResourceSpec(ResourceSpec { owner: owner.to_owned(), ..ResourceSpec::default() })
    }

    fn members(names: &[&str]) -> Spec {
        let member = |name: &&str| GroupMember { resource: (*name).to_owned(), depends_on: Vec::new() };
        Spec::GroupSpec(GroupSpec { members: names.iter().map(member).collect(), ..GroupSpec::default() })
    }

    fn about(name: &str) -> Message {
        let occurred_at = Timestamp::from_second(1).unwrap();
        let source = Source { tenant: "acme".into(), event_id: Uuid::nil(), sequence: 1, occurred_at };
        Message::about(&source, kind::RPO_BREACHED, name, 1, 1)
    }

    #[test]
    fn a_system_belongs_to_its_groups_and_a_group_to_its_members_owners() {
        let documents = inventory(vec![
            (Kind::Resource, "orders", resource("team-orders")),
            (Kind::Resource, "billing", resource("team-billing")),
            (Kind::Group, "shop", members(&["orders", "billing"])),
            (Kind::Group, "core", members(&["orders"])),
        ]);
        let told = |name: &str| {
            let mut message = about(name);
            belong(&mut message, &documents);
            (message.groups, message.owners)
        };
        assert_eq!(told("orders"), (vec!["core".into(), "shop".into()], vec!["team-orders".into()]));
        assert_eq!(told("billing"), (vec!["shop".into()], vec!["team-billing".into()]));
        assert_eq!(told("shop"), (vec!["shop".into()], vec!["team-billing".into(), "team-orders".into()]));
        assert_eq!(told("nobody-knows"), (vec![], vec![]));
    }
}
