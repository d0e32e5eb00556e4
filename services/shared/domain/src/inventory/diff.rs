//! What changed between two versions of a document, as "field: from -> to".

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::pb::inventory::v1::{Document, FieldChange, document::Spec};

pub(super) fn changes(before: Option<&Spec>, after: Option<&Spec>) -> Vec<FieldChange> {
    let before = flatten(before);
    let after = flatten(after);
    let fields: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    fields
        .into_iter()
        .filter(|field| before.get(*field) != after.get(*field))
        .map(|field| FieldChange {
            field: field.clone(),
            from: before.get(field).cloned().unwrap_or_default(),
            to: after.get(field).cloned().unwrap_or_default(),
        })
        .collect()
}

/// The JSON form, one line a leaf: "spec.nodes[0].host" -> "10.0.0.1".
fn flatten(spec: Option<&Spec>) -> BTreeMap<String, String> {
    let mut leaves = BTreeMap::new();
    let Some(spec) = spec else { return leaves };
    let document = Document { spec: Some(spec.clone()), ..Document::default() };
    // The message was built by us from valid parts; should it not serialise, the difference is shown as a whole.
    let value = serde_json::to_value(&document).unwrap_or(Value::Null);
    if let Value::Object(fields) = value {
        // The document's own fields (kind, version, …) are no part of what people declare.
        for (_, inner) in fields.into_iter().filter(|(name, _)| name.ends_with("Spec")) {
            walk("spec".into(), &inner, &mut leaves);
        }
    }
    // An empty text is an absent one.
    leaves.retain(|_, value| !value.is_empty());
    leaves
}

fn walk(path: String, value: &Value, leaves: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                walk(format!("{path}.{name}"), inner, leaves);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                walk(format!("{path}[{index}]"), inner, leaves);
            }
        }
        Value::String(text) => {
            leaves.insert(path, text.clone());
        }
        other => {
            leaves.insert(path, other.to_string());
        }
    }
}
