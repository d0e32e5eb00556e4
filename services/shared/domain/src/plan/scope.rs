//! What a plan moves: one resource, or the members of a group in the order they come up.

use super::graph;
use crate::inventory::TenantInventory;
use crate::pb::inventory::v1::{Document, GroupSpec, Kind, ResourceSpec, document::Spec};
use crate::pb::plan::v1::PlanSpec;
use crate::refusal::{Refusal, field_refusal};

/// The documents that one run is about.
#[derive(Debug, Clone)]
pub struct Scope<'a> {
    /// `None`: a single resource.
    pub group: Option<(&'a Document, &'a GroupSpec)>,
    /// Each after all it depends on.
    pub members: Vec<Member<'a>>,
}

#[derive(Debug, Clone)]
pub struct Member<'a> {
    pub document: &'a Document,
    pub spec: &'a ResourceSpec,
    /// Other members that must be up before this one.
    pub depends_on: Vec<&'a str>,
}

impl<'a> Scope<'a> {
    /// "group shop", "resource orders-db"
    pub fn name(&self) -> String {
        match (&self.group, self.members.first()) {
            (Some((document, _)), _) => format!("group {}", document.name),
            (None, Some(member)) => format!("resource {}", member.document.name),
            (None, None) => "nothing".to_owned(),
        }
    }

    pub fn member(&self, resource: &str) -> Option<&Member<'a>> {
        self.members.iter().find(|member| member.document.name == resource)
    }

    /// "orders-db, cart"
    pub fn member_names(&self) -> String {
        self.members.iter().map(|member| member.document.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// The plan of a plan's document.
pub fn spec_of(document: &Document) -> Option<&PlanSpec> {
    match &document.spec {
        Some(Spec::PlanSpec(spec)) => Some(spec),
        _ => None,
    }
}

/// The scope as it is declared now. Exactly one of the two names is given, the other is empty.
pub fn scope<'a>(inventory: &'a TenantInventory, group: &str, resource: &str) -> Result<Scope<'a>, Refusal> {
    match (group, resource) {
        ("", "") => Err(field_refusal(
            "scope",
            "FIELD_INVALID",
            "a run is about one resource or one group",
            "neither",
            "a resource or a group",
            "name one of the two",
        )),
        ("", resource) => {
            let (document, spec) = inventory.resource(resource).ok_or_else(|| unknown("resource", resource))?;
            Ok(Scope { group: None, members: vec![Member { document, spec, depends_on: Vec::new() }] })
        }
        (group, "") => of_group(inventory, group),
        (group, resource) => Err(field_refusal(
            "scope",
            "FIELD_INVALID",
            "a run is about one resource or one group",
            format!("group {group} and resource {resource}"),
            "one of the two",
            "leave one of them out",
        )),
    }
}

fn of_group<'a>(inventory: &'a TenantInventory, group: &str) -> Result<Scope<'a>, Refusal> {
    let document = inventory.get(Kind::Group, group).ok_or_else(|| unknown("group", group))?;
    let Some(Spec::GroupSpec(spec)) = &document.spec else { return Err(unknown("group", group)) };
    let mut members = Vec::with_capacity(spec.members.len());
    for member in &spec.members {
        let (document, resource) = inventory.resource(&member.resource).ok_or_else(|| {
            field_refusal(
                "group",
                "GROUP_MEMBER_UNKNOWN",
                format!("every member of group {group} is a declared resource"),
                format!("{} is not declared, or retired", member.resource),
                "resources in use",
                "declare it again, or apply the group without it",
            )
        })?;
        let depends_on = member.depends_on.iter().map(String::as_str).collect();
        members.push(Member { document, spec: resource, depends_on });
    }
    if members.is_empty() {
        return Err(field_refusal(
            "group",
            "GROUP_EMPTY",
            "a group that is moved has members",
            format!("{group} has none"),
            "at least one resource",
            "add its members and apply it",
        ));
    }
    Ok(Scope { group: Some((document, spec)), members: in_dependency_order(group, members)? })
}

fn in_dependency_order<'a>(group: &str, members: Vec<Member<'a>>) -> Result<Vec<Member<'a>>, Refusal> {
    let nodes: Vec<graph::Node<'_>> =
        members.iter().map(|member| (member.document.name.as_str(), member.depends_on.clone())).collect();
    let order = graph::in_order(&nodes).map_err(|_| {
        field_refusal(
            "group",
            "GROUP_CYCLE",
            format!("the members of group {group} come up in an order"),
            format!("{} wait for each other", graph::circle(&nodes).join(", ")),
            "dependencies without a circle",
            "remove one of these dependencies and apply the group",
        )
    })?;
    Ok(order.into_iter().filter_map(|index| members.get(index).cloned()).collect())
}

fn unknown(kind: &str, name: &str) -> Refusal {
    let shown: String = name.chars().take(80).collect();
    field_refusal(
        kind,
        "SCOPE_UNKNOWN",
        format!("the {kind} is declared and in use"),
        format!("{shown} is not declared, or retired"),
        format!("a {kind} of this tenant"),
        format!("list them with `muster get {kind}s`"),
    )
}
