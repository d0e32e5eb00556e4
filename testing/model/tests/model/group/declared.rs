//! What is declared, and the steps that the domain makes of it.

use muster_domain::{
    execution::reservation_of_group,
    inventory::TenantInventory,
    pb::{execution::v1::Step, inventory::v1 as inv, plan::v1::FailurePolicy, request::v1::RequestType},
    plan,
};

use crate::world::{self, HIGH};

const GROUP: &str = "shop";
pub(super) const MEMBERS: [&str; 4] = ["base", "left", "right", "top"];
pub(super) const LEFT: usize = 1;
pub(super) const RIGHT: usize = 2;
/// What the group declares. Judged by here; the run goes by what the domain makes of the declaration.
pub(super) const NEEDS: [&[usize]; 4] = [&[], &[0], &[0], &[LEFT, RIGHT]];
/// The run on `left` alone that wants to begin beside it.
pub(super) const OTHER: &str = "r-other";
fn inventory() -> TenantInventory {
    let mut inventory = TenantInventory::default();
    for name in MEMBERS {
        world::declare(&mut inventory, name, 1, HIGH);
    }
    let member = |(name, needs): (&&str, &&[usize])| inv::GroupMember {
        resource: (*name).to_owned(),
        depends_on: needs.iter().map(|needed| MEMBERS[*needed].to_owned()).collect(),
    };
    // Declared from its end to its beginning: the order is the domain's to find.
    let members = MEMBERS.iter().zip(&NEEDS).map(member).rev().collect();
    inventory.insert(inv::Document {
        kind: inv::Kind::Group.into(),
        tenant: "acme".into(),
        name: GROUP.into(),
        version: 1,
        spec: Some(inv::document::Spec::GroupSpec(inv::GroupSpec { members, ..Default::default() })),
        ..Default::default()
    });
    inventory
}

/// Compiled as `services/executor/src/compile.rs` does it, with one step for each move.
pub(super) fn steps() -> Vec<Step> {
    let inventory = inventory();
    let scope = plan::scope(&inventory, GROUP, "").unwrap();
    let spec = plan::built_in(&scope, RequestType::Switchover);
    let direction = plan::direction(&spec, "ams").unwrap();
    let planned = plan::unfold(&spec, RequestType::Switchover, direction, &scope).unwrap();
    let step = |planned: plan::PlannedStep| Step {
        id: planned.id,
        after: planned.after,
        resource: planned.resource.unwrap(),
        on_failure: FailurePolicy::Stop.into(),
        ..Step::default()
    };
    planned.into_iter().map(step).collect()
}

pub(super) fn member_of(step: &str) -> usize {
    MEMBERS.iter().position(|name| step == format!("move-{name}")).unwrap()
}

pub(super) fn step_of(member: usize) -> String {
    format!("move-{}", MEMBERS[member])
}

pub(super) fn names() -> Vec<String> {
    [reservation_of_group(GROUP)].into_iter().chain(MEMBERS.map(str::to_owned)).collect()
}
