//! The way back: a declared document in the form that people write and can apply again.

mod message;
mod plan;
mod policy;
mod resource;

use muster_domain::pb::inventory::v1::{Document, GroupSpec, document::Spec};
use muster_domain::time::{PbDuration, PbTimestamp, duration_from_pb, from_pb};
use serde_json::{Map, Value, json};

use super::{document::kind_name, scalar::write_duration};

#[derive(Debug, thiserror::Error)]
#[error("the document cannot be written as YAML: {0}")]
pub struct WriteError(#[from] serde_saphyr::SerializeError);

/// The document as YAML, ready for `muster apply`.
pub fn to_yaml(document: &Document) -> Result<String, WriteError> {
    Ok(serde_saphyr::to_string(&to_value(document))?)
}

/// The same as a value with the manifest's keys.
pub fn to_value(document: &Document) -> Value {
    let spec = match &document.spec {
        Some(Spec::TenantSpec(spec)) => block([
            ("displayName", text(&spec.display_name)),
            ("region", text(&spec.region)),
            ("language", text(&spec.language)),
        ]),
        Some(Spec::SiteSpec(spec)) => {
            block([("displayName", text(&spec.display_name)), ("region", text(&spec.region))])
        }
        Some(Spec::ResourceSpec(spec)) => resource::write(spec),
        Some(Spec::GroupSpec(spec)) => group(spec),
        Some(Spec::PolicySpec(spec)) => policy::write(spec),
        Some(Spec::NotificationRouteSpec(spec)) => message::route(spec),
        Some(Spec::PlanSpec(spec)) => plan::write(spec),
        Some(Spec::ScheduleSpec(spec)) => message::schedule(spec),
        Some(Spec::ContactSpec(spec)) => message::contact(spec),
        Some(Spec::MessageTemplateSpec(spec)) => message::template(spec),
        None => json!({}),
    };
    let metadata = block([("name", text(&document.name)), ("tenant", text(&document.tenant))]);
    block([("kind", Some(json!(kind_name(document.kind())))), ("metadata", Some(metadata)), ("spec", Some(spec))])
}

/// Absent values leave no key.
fn block<const N: usize>(entries: [(&str, Option<Value>); N]) -> Value {
    Value::Object(entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect::<Map<_, _>>())
}

fn moment(at: Option<&PbTimestamp>) -> Option<Value> {
    from_pb(at).map(|at| json!(at.to_string()))
}

fn text(value: &str) -> Option<Value> {
    (!value.is_empty()).then(|| json!(value))
}

fn list(values: Vec<Value>) -> Option<Value> {
    (!values.is_empty()).then_some(Value::Array(values))
}

fn each<T>(items: &[T], write: impl Fn(&T) -> Value) -> Option<Value> {
    list(items.iter().map(write).collect())
}

fn texts(values: &[String]) -> Option<Value> {
    each(values, |value| json!(value))
}

fn flag(value: bool) -> Option<Value> {
    value.then_some(json!(true))
}

fn length(value: Option<&PbDuration>) -> Option<Value> {
    duration_from_pb(value).map(|d| json!(write_duration(d)))
}

fn word<T: Copy + PartialEq>(options: &[(&str, T)], value: T) -> Option<Value> {
    let (name, _) = options.iter().find(|(_, option)| *option == value)?;
    // Tiers are numbers to people.
    Some(name.parse::<u32>().map_or_else(|_| json!(name), |number| json!(number)))
}

fn group(spec: &GroupSpec) -> Value {
    let members = each(&spec.members, |member| {
        block([("resource", text(&member.resource)), ("dependsOn", texts(&member.depends_on))])
    });
    block([("displayName", text(&spec.display_name)), ("members", members)])
}
