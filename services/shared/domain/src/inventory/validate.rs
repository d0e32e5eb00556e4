//! Whether a document makes sense, by itself and among the others. Every fault is named, not only the first.

use jiff::SignedDuration;

use super::validate_contact::validate_contact;
use super::validate_message::validate_template;
use super::validate_plan::validate_plan;
use super::validate_policy::validate_policy;
use super::validate_route::validate_route;
use super::validate_schedule::validate_schedule;
use super::{TenantInventory, validate_resource::validate_resource};
use crate::ids::check_name;
use crate::pb::inventory::v1::{Document, GroupSpec, Kind, document::Spec};
use crate::refusal::{Refusal, field_refusal};
use crate::time::{PbDuration, duration_from_pb, humane};

/// Longest free text in a document.
const MAX_TEXT: usize = 500;
/// More members than this is not a group but a fleet.
const MAX_MEMBERS: usize = 200;

/// What validation found: faults stop the document, warnings do not.
#[derive(Debug, Clone, Default)]
pub struct Finding {
    pub faults: Vec<Refusal>,
    pub warnings: Vec<String>,
}

impl Finding {
    pub(super) fn fault(
        &mut self,
        field: impl Into<String>,
        rule: &str,
        value: impl Into<String>,
        limit: impl Into<String>,
        next: &str,
    ) {
        self.faults.push(field_refusal(field, "FIELD_INVALID", rule, value, limit, next));
    }

    pub(super) fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }
}

/// Checks one document. `others` holds the tenant's documents in use together with those of the same
/// manifest, so that documents may refer to each other in any order.
pub fn validate(document: &Document, others: &TenantInventory) -> Finding {
    let mut found = Finding::default();
    if let Err(e) = check_name("name", &document.name) {
        found.fault("metadata.name", "names become ids", e.value, e.rule, "choose another name");
    }
    match &document.spec {
        Some(Spec::TenantSpec(spec)) => {
            text(&mut found, "spec.displayName", &spec.display_name);
            text(&mut found, "spec.region", &spec.region);
        }
        Some(Spec::SiteSpec(spec)) => {
            text(&mut found, "spec.displayName", &spec.display_name);
            text(&mut found, "spec.region", &spec.region);
        }
        Some(Spec::ResourceSpec(spec)) => validate_resource(&mut found, &document.name, spec, others),
        Some(Spec::GroupSpec(spec)) => group(&mut found, spec, others),
        Some(Spec::PolicySpec(spec)) => validate_policy(&mut found, spec, others),
        Some(Spec::NotificationRouteSpec(spec)) => validate_route(&mut found, spec, &document.name, others),
        Some(Spec::PlanSpec(spec)) => validate_plan(&mut found, spec),
        Some(Spec::ScheduleSpec(spec)) => validate_schedule(&mut found, document, spec, others),
        Some(Spec::ContactSpec(spec)) => validate_contact(&mut found, document, spec, others),
        Some(Spec::MessageTemplateSpec(spec)) => validate_template(&mut found, spec),
        None => found.fault("spec", "a document has a spec", "absent", "a spec", "add the spec of its kind"),
    }
    found
}

pub(super) fn text(found: &mut Finding, field: &str, value: &str) {
    let length = value.chars().count();
    if length > MAX_TEXT || value.chars().any(char::is_control) {
        found.fault(
            field,
            "texts are one line of limited length",
            format!("{length} characters"),
            format!("at most {MAX_TEXT}, no control characters"),
            "shorten it",
        );
    }
}

/// A duration that must be above zero and at most `limit`.
pub(super) fn duration(
    found: &mut Finding,
    field: &str,
    value: Option<&PbDuration>,
    limit: SignedDuration,
) -> Option<SignedDuration> {
    let value = duration_from_pb(value)?;
    if value <= SignedDuration::ZERO || value > limit {
        found.fault(
            field,
            "a length of time above zero",
            humane(value),
            format!("above 0 s, at most {}", humane(limit)),
            "write it like 30s, 5m or 4h",
        );
        return None;
    }
    Some(value)
}

fn group(found: &mut Finding, spec: &GroupSpec, others: &TenantInventory) {
    text(found, "spec.displayName", &spec.display_name);
    if spec.members.is_empty() || spec.members.len() > MAX_MEMBERS {
        found.fault(
            "spec.members",
            "a group has members",
            spec.members.len().to_string(),
            format!("1 to {MAX_MEMBERS}"),
            "list the resources that move together",
        );
    }
    let names: Vec<&str> = spec.members.iter().map(|member| member.resource.as_str()).collect();
    for (index, member) in spec.members.iter().enumerate() {
        let field = format!("spec.members[{index}].resource");
        if others.get(Kind::Resource, &member.resource).is_none() {
            found.fault(
                &field,
                "members are declared resources",
                &member.resource,
                "a resource of this tenant",
                "declare the resource first, or in the same manifest",
            );
        }
        if names.iter().filter(|name| **name == member.resource).count() > 1 {
            found.fault(&field, "a resource is in a group once", &member.resource, "once", "remove the second mention");
        }
        for needed in &member.depends_on {
            if !names.contains(&needed.as_str()) || *needed == member.resource {
                found.fault(
                    format!("spec.members[{index}].dependsOn"),
                    "dependencies are other members of the group",
                    needed,
                    names.join(", "),
                    "name another member",
                );
            }
        }
    }
    if let Some(cycle) = first_cycle(spec) {
        found.fault("spec.members", "dependencies have an order", cycle, "no cycle", "remove one of the dependencies");
    }
}

/// Removes members whose dependencies are all removed until nothing moves; what is left waits for itself.
fn first_cycle(spec: &GroupSpec) -> Option<String> {
    let mut left: Vec<_> = spec.members.iter().collect();
    loop {
        let names: Vec<&str> = left.iter().map(|member| member.resource.as_str()).collect();
        let before = left.len();
        left.retain(|member| member.depends_on.iter().any(|needed| names.contains(&needed.as_str())));
        if left.is_empty() {
            return None;
        }
        if left.len() == before {
            return Some(names.join(", "));
        }
    }
}

pub(super) fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}
