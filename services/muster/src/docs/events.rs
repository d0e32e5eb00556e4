//! docs/events.md: every event that the log can hold, as the protobuf contracts and the code that names events say.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use muster_domain::{
    Aggregate, EventKind,
    audit::{AuditDomain, AuditLog, Export, PayloadKey, Producer},
    delivery::{ChatBinding, Delivery, Escalation},
    denial::Denial,
    execution::{Execution, Reservation},
    gap::{Gap, Review},
    gate::Gate,
    inventory::Declared,
    plan::Plan,
    preflight::Preflight,
    readiness::Readiness,
    request::{Delegation, Intent, Request},
    schedule::Schedule,
};
use muster_eventlog::{PARKED_KIND, PARKED_TYPE};
use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor, Value,
};

/// A document is a message in the event's content, and its kind names the event: one deep.
const NAMED_WITHIN: usize = 1;

/// The events of one kind of aggregate.
struct Family {
    /// The message that is stored.
    message: &'static str,
    aggregate: &'static str,
    /// What events with this content are called.
    names: fn(&FieldDescriptor) -> Result<Vec<&'static str>>,
}

fn families() -> [Family; 23] {
    [
        family::<Declared>("muster.inventory.v1.InventoryEvent"),
        family::<Readiness>("muster.readiness.v1.ReadinessEvent"),
        family::<Plan>("muster.plan.v1.PlanEvent"),
        family::<Request>("muster.request.v1.RequestEvent"),
        family::<Delegation>("muster.request.v1.DelegationEvent"),
        family::<Gate>("muster.request.v1.GateEvent"),
        family::<Execution>("muster.execution.v1.ExecutionEvent"),
        family::<Reservation>("muster.execution.v1.ReservationEvent"),
        family::<Preflight>("muster.execution.v1.PreflightEvent"),
        family::<Delivery>("muster.notification.v1.DeliveryEvent"),
        family::<Schedule>("muster.schedule.v1.ScheduleEvent"),
        family::<Intent>("muster.request.v1.IntentEvent"),
        family::<ChatBinding>("muster.notification.v1.ChatBindingEvent"),
        family::<Escalation>("muster.notification.v1.EscalationEvent"),
        family::<Denial>("muster.identity.v1.DenialEvent"),
        family::<Export>("muster.audit.v1.ExportEvent"),
        family::<Gap>("muster.audit.v1.GapEvent"),
        family::<Review>("muster.audit.v1.ReviewEvent"),
        family::<AuditDomain>("muster.audit.v1.AuditDomainEvent"),
        family::<AuditLog>("muster.audit.v1.AuditLogEvent"),
        family::<PayloadKey>("muster.audit.v1.PayloadKeyEvent"),
        family::<Producer>("muster.audit.v1.ProducerEvent"),
        Family { message: "muster.audit.v1.ParkedEvent", aggregate: PARKED_KIND, names: |_| Ok(vec![PARKED_TYPE]) },
    ]
}

fn family<A: Aggregate>(message: &'static str) -> Family {
    Family { message, aggregate: A::KIND, names: names_of::<A::Event> }
}

/// Asks the code that writes the header what events with this content are called. Some are named after a kind or phase
/// in it, so each of those is tried.
fn names_of<E: Message + Default + EventKind>(content: &FieldDescriptor) -> Result<Vec<&'static str>> {
    let kind = content.kind();
    let message = kind.as_message().with_context(|| format!("{} is no message", content.full_name()))?;
    let mut names = Vec::new();
    for filled in with_each_enum_value(message, NAMED_WITHIN) {
        let mut event = DynamicMessage::new(content.parent_message().clone());
        event.set_field(content, Value::Message(filled));
        let name = E::decode(event.encode_to_vec().as_slice())?.kind();
        if name != "unset" && !names.contains(&name) {
            names.push(name);
        }
    }
    ensure!(!names.is_empty(), "events with {} have no name", content.full_name());
    Ok(names)
}

/// The message with nothing in it, and with each value of each enum in it and in the messages within.
fn with_each_enum_value(message: &MessageDescriptor, within: usize) -> Vec<DynamicMessage> {
    let empty = DynamicMessage::new(message.clone());
    let mut filled = vec![empty.clone()];
    for field in message.fields().filter(|field| !field.is_list() && !field.is_map()) {
        let values: Vec<Value> = match field.kind() {
            Kind::Enum(values) => values.values().map(|value| Value::EnumNumber(value.number())).collect(),
            Kind::Message(inner) if within > 0 => {
                with_each_enum_value(&inner, within - 1).into_iter().map(Value::Message).collect()
            }
            _ => Vec::new(),
        };
        filled.extend(values.into_iter().map(|value| {
            let mut message = empty.clone();
            message.set_field(&field, value);
            message
        }));
    }
    filled
}

/// The page.
pub(super) fn reference() -> Result<String> {
    let pool = DescriptorPool::decode(muster_proto::FILE_DESCRIPTOR_SET)?;
    let mut page = include_str!("events_intro.md").to_owned();
    let mut types = Types::default();
    for family in families() {
        let message = pool.get_message_by_name(family.message).context(family.message)?;
        page.push_str(&format!("## {}\n\n", family.aggregate));
        page.push_str(&format!("{} Stored as `{}`, ", comment(&message.parent_file(), message.path()), family.message));
        page.push_str(&format!("subject `rec.<tenant>.{}.<id>.<version>`.\n\n", family.aggregate));
        for content in message.oneofs().flat_map(|oneof| oneof.fields().collect::<Vec<_>>()) {
            page.push_str(&section(&family, &content, &mut types)?);
        }
    }
    page.push_str(
        "## Types\n\nWhat the fields above are made of. Times and lengths of time are `google.protobuf` ones.\n\n",
    );
    page.push_str(&types.sections());
    Ok(format!("{}\n", page.trim_end()))
}

fn section(family: &Family, content: &FieldDescriptor, types: &mut Types) -> Result<String> {
    let names = (family.names)(content)?;
    let kind = content.kind();
    let message = kind.as_message().with_context(|| format!("{} is no message", content.full_name()))?;
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    types.gather(message);
    let about = comment(&message.parent_file(), message.path());
    Ok(format!("### {}\n\n{}\n\n{}", names.join(", "), format!("`{}` {about}", message.name()).trim(), fields(message)))
}

/// What events refer to, by the short name.
#[derive(Default)]
struct Types {
    messages: BTreeMap<String, MessageDescriptor>,
    enums: BTreeMap<String, EnumDescriptor>,
}

impl Types {
    /// Everything within `message`, and not itself.
    fn gather(&mut self, message: &MessageDescriptor) {
        for field in message.fields() {
            match value(&field) {
                Kind::Message(inner) if is_ours(&inner) && !self.messages.contains_key(inner.name()) => {
                    self.messages.insert(inner.name().to_owned(), inner.clone());
                    self.gather(&inner);
                }
                Kind::Enum(values) => {
                    self.enums.insert(values.name().to_owned(), values);
                }
                _ => {}
            }
        }
    }

    fn sections(&self) -> String {
        let message = |(name, message): (&String, &MessageDescriptor)| {
            (name.clone(), comment(&message.parent_file(), message.path()), fields(message))
        };
        let values = |(name, values): (&String, &EnumDescriptor)| {
            (name.clone(), comment(&values.parent_file(), values.path()), list(values))
        };
        let mut sections: Vec<_> = self.messages.iter().map(message).chain(self.enums.iter().map(values)).collect();
        sections.sort();
        let section = |(name, about, table): (String, String, String)| match about.as_str() {
            "" => format!("### {name}\n\n{table}"),
            about => format!("### {name}\n\n{about}\n\n{table}"),
        };
        sections.into_iter().map(section).collect()
    }
}

fn fields(message: &MessageDescriptor) -> String {
    let row = |field: FieldDescriptor| {
        let about = comment(&field.parent_message().parent_file(), field.path());
        format!("| `{}` | {} | {} |\n", field.name(), type_of(&field), about.replace('|', "\\|"))
    };
    format!("| field | type | meaning |\n|---|---|---|\n{}\n", message.fields().map(row).collect::<String>())
}

fn list(values: &EnumDescriptor) -> String {
    let row = |value: prost_reflect::EnumValueDescriptor| {
        let about = comment(&values.parent_file(), value.path());
        format!("| `{}` | {} | {} |\n", value.name(), value.number(), about.replace('|', "\\|"))
    };
    format!("| value | number | meaning |\n|---|---|---|\n{}\n", values.values().map(row).collect::<String>())
}

fn type_of(field: &FieldDescriptor) -> String {
    let inner = match value(field) {
        Kind::Message(message) if is_ours(&message) => link(message.name()),
        Kind::Message(message) => message.name().to_owned(),
        Kind::Enum(values) => link(values.name()),
        scalar => format!("{scalar:?}"),
    };
    let optional = field.containing_oneof().is_some_and(|oneof| oneof.is_synthetic());
    match field.containing_oneof() {
        _ if field.is_map() => format!("map of text to {inner}"),
        _ if field.is_list() => format!("list of {inner}"),
        Some(_) if optional => format!("{inner}, may be absent"),
        Some(oneof) => format!("{inner}, one of `{}`", oneof.name()),
        None => inner,
    }
}

/// The kind of a field's value, or of a map's values.
fn value(field: &FieldDescriptor) -> Kind {
    match field.kind() {
        Kind::Message(entry) if entry.is_map_entry() => entry.map_entry_value_field().kind(),
        kind => kind,
    }
}

fn is_ours(message: &MessageDescriptor) -> bool {
    message.package_name().starts_with("muster.")
}

fn link(name: &str) -> String {
    format!("[{name}](#{})", name.to_lowercase())
}

/// The comment above a declaration, as one line.
fn comment(file: &FileDescriptor, path: &[i32]) -> String {
    let locations = file.file_descriptor_proto().source_code_info.iter().flat_map(|info| &info.location);
    let found = locations.filter(|location| location.path == path).find_map(|at| at.leading_comments.as_deref());
    found.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn every_message_named_event_is_on_the_page() {
        let pool = DescriptorPool::decode(muster_proto::FILE_DESCRIPTOR_SET).unwrap();
        let events = pool.all_messages().filter(|message| message.name().ends_with("Event"));
        let missing: Vec<_> =
            events.filter(|event| !families().iter().any(|family| family.message == event.full_name())).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn names_comments_and_links_are_there() {
        let page = reference().unwrap();
        for name in
            ["request.approved", "site.retired", "execution.postchecks_recorded", "access.denied", "event.parked"]
        {
            assert!(page.contains(&format!("`{name}`")), "{name}");
        }
        assert!(page.contains("With this one, everything required is there."), "a field's comment");
        let headings: Vec<String> = page
            .lines()
            .filter(|line| line.starts_with('#'))
            .map(|line| {
                line.trim_start_matches('#').trim().to_lowercase().replace(['`', '.', ','], "").replace(' ', "-")
            })
            .collect();
        for target in page.split("](#").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(headings.iter().any(|heading| heading == target), "#{target} leads nowhere");
        }
    }
}
