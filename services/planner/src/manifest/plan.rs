//! `kind: Plan`: phases and steps of a recovery.

use muster_domain::pb::plan::v1::{Contact, FailurePolicy, Phase, PlanSpec, PlanStep, plan_spec::Scope};

use super::{action, condition, fault::Faults, fields::Fields, node::Node};

pub(super) const FAILURE_POLICIES: &[(&str, FailurePolicy)] =
    &[("stop", FailurePolicy::Stop), ("continue", FailurePolicy::Continue), ("undo", FailurePolicy::Undo)];

pub(super) fn read(mut fields: Fields<'_, '_>) -> PlanSpec {
    let spec = PlanSpec {
        display_name: fields.text("displayName"),
        description: fields.text("description"),
        owner: fields.text("owner"),
        scope: scope(&mut fields),
        from_site: fields.text("fromSite"),
        to_site: fields.text("toSite"),
        types: fields.texts("types"),
        rto: fields.duration("rto"),
        rpo: fields.duration("rpo"),
        proof_valid_for: fields.duration("proofValidFor"),
        contacts: fields.list("contacts", contact),
        notes: fields.text("notes"),
        phases: fields.list("phases", phase),
    };
    fields.finish();
    spec
}

fn scope(fields: &mut Fields<'_, '_>) -> Option<Scope> {
    Some(match fields.one_of(&["group", "resource"], "a plan moves one group or one resource")? {
        "group" => Scope::Group(fields.text("group")),
        _ => Scope::Resource(fields.text("resource")),
    })
}

fn contact(node: &Node, path: &str, faults: &Faults) -> Option<Contact> {
    let mut fields = Fields::of(node, path, faults)?;
    let contact = Contact { name: fields.text("name"), role: fields.text("role"), reach: fields.text("reach") };
    fields.finish();
    Some(contact)
}

fn phase(node: &Node, path: &str, faults: &Faults) -> Option<Phase> {
    let mut fields = Fields::of(node, path, faults)?;
    let phase = Phase { name: fields.text("name"), title: fields.text("title"), steps: fields.list("steps", step) };
    fields.finish();
    Some(phase)
}

fn step(node: &Node, path: &str, faults: &Faults) -> Option<PlanStep> {
    let mut fields = Fields::of(node, path, faults)?;
    let step = PlanStep {
        id: fields.text("id"),
        title: fields.text("title"),
        owner: fields.text("owner"),
        after: fields.texts("after"),
        timeout: fields.duration("timeout"),
        idempotent: fields.flag("idempotent"),
        on_failure: fields.choice("onFailure", FAILURE_POLICIES).unwrap_or_default().into(),
        prechecks: fields.list("prechecks", condition::item),
        postchecks: fields.list("postchecks", condition::item),
        action: action::read(&mut fields),
        undo: fields.block("undo").and_then(action::block),
        no_undo_because: fields.text("noUndoBecause"),
        only_for: fields.texts("onlyFor"),
    };
    fields.finish();
    Some(step)
}
