//! A rule that said no, as data: rule, measured value, limit, next action.

use crate::pb::common::v1 as common;

/// The same refusal on every surface: gRPC status details, CLI, page, audit record.
pub type Refusal = common::Refusal;

/// Builds a refusal. `code` is stable and documented in docs/refusals.md.
pub fn refusal(
    code: &str,
    rule: impl Into<String>,
    value: impl Into<String>,
    limit: impl Into<String>,
    next_action: impl Into<String>,
) -> Refusal {
    Refusal {
        code: code.into(),
        rule: rule.into(),
        value: value.into(),
        limit: limit.into(),
        next_action: next_action.into(),
        field: String::new(),
    }
}

/// A refusal that concerns one field of the command.
pub fn field_refusal(
    field: impl Into<String>,
    code: &str,
    rule: impl Into<String>,
    value: impl Into<String>,
    limit: impl Into<String>,
    next_action: impl Into<String>,
) -> Refusal {
    Refusal { field: field.into(), ..refusal(code, rule, value, limit, next_action) }
}

/// "rule (value: …; allowed: …). Next: …"
pub fn describe(r: &Refusal) -> String {
    let mut text = String::new();
    if !r.field.is_empty() {
        text.push_str(&r.field);
        text.push_str(": ");
    }
    text.push_str(&r.rule);
    if !r.value.is_empty() || !r.limit.is_empty() {
        text.push_str(&format!(" (found: {}; allowed: {})", or_dash(&r.value), or_dash(&r.limit)));
    }
    if !r.next_action.is_empty() {
        text.push_str(". Next: ");
        text.push_str(&r.next_action);
    }
    text
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}
