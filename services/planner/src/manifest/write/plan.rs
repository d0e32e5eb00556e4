//! A recovery plan.

use muster_domain::access::role_name;
use muster_domain::pb::plan::v1::{
    Action, Condition, DnsAction, HttpAction, PlanSpec, PlanStep, action, condition, plan_spec::Scope,
};
use serde_json::{Map, Value, json};

use super::{block, each, flag, length, text, texts, word};
use crate::manifest::plan::FAILURE_POLICIES;

pub(super) fn write(spec: &PlanSpec) -> Value {
    let (scope, name) = match &spec.scope {
        Some(Scope::Group(name)) => ("group", text(name)),
        Some(Scope::Resource(name)) => ("resource", text(name)),
        None => ("resource", None),
    };
    block([
        ("displayName", text(&spec.display_name)),
        ("description", text(&spec.description)),
        ("owner", text(&spec.owner)),
        (scope, name),
        ("fromSite", text(&spec.from_site)),
        ("toSite", text(&spec.to_site)),
        ("types", texts(&spec.types)),
        ("rto", length(spec.rto.as_ref())),
        ("rpo", length(spec.rpo.as_ref())),
        ("proofValidFor", length(spec.proof_valid_for.as_ref())),
        (
            "contacts",
            each(&spec.contacts, |contact| {
                block([("name", text(&contact.name)), ("role", text(&contact.role)), ("reach", text(&contact.reach))])
            }),
        ),
        ("notes", text(&spec.notes)),
        (
            "phases",
            each(&spec.phases, |phase| {
                block([("name", text(&phase.name)), ("title", text(&phase.title)), ("steps", each(&phase.steps, step))])
            }),
        ),
    ])
}

fn step(step: &PlanStep) -> Value {
    let mut written = block([
        ("id", text(&step.id)),
        ("title", text(&step.title)),
        ("owner", text(&step.owner)),
        ("after", texts(&step.after)),
        ("timeout", length(step.timeout.as_ref())),
        ("idempotent", flag(step.idempotent)),
        ("onFailure", word(FAILURE_POLICIES, step.on_failure())),
        ("onlyFor", texts(&step.only_for)),
        ("prechecks", each(&step.prechecks, condition)),
        ("postchecks", each(&step.postchecks, condition)),
        ("undo", step.undo.as_ref().map(|undo| Value::Object(action(undo)))),
        ("noUndoBecause", text(&step.no_undo_because)),
    ]);
    if let (Some(what), Value::Object(keys)) = (&step.action, &mut written) {
        keys.extend(action(what));
    }
    written
}

/// One key: what is done.
fn action(action: &Action) -> Map<String, Value> {
    let (key, value) = match &action.kind {
        Some(action::Kind::Move(to_move)) => ("move", json!(to_move.resource)),
        Some(action::Kind::Wait(wait)) => ("wait", wait.until.as_ref().map_or_else(|| json!({}), condition)),
        Some(action::Kind::Http(call)) => ("http", http(call)),
        Some(action::Kind::Dns(change)) => ("dns", dns(change)),
        Some(action::Kind::Command(command)) => {
            ("command", block([("name", text(&command.name)), ("arguments", texts(&command.arguments))]))
        }
        Some(action::Kind::Notify(notify)) => ("notify", json!(notify.text)),
        Some(action::Kind::Manual(manual)) => {
            ("manual", block([("role", text(role_name(manual.role()))), ("instructions", text(&manual.instructions))]))
        }
        None => return Map::new(),
    };
    Map::from_iter([(key.to_owned(), value)])
}

fn http(call: &HttpAction) -> Value {
    block([
        ("method", text(&call.method)),
        ("url", text(&call.url)),
        ("reverseUrl", text(&call.reverse_url)),
        ("body", text(&call.body)),
        ("contentType", text(&call.content_type)),
        ("tokenRef", text(&call.token_ref)),
        ("expectStatus", each(&call.expect_status, |code| json!(code))),
    ])
}

fn dns(change: &DnsAction) -> Value {
    block([
        ("server", text(&change.server)),
        ("zone", text(&change.zone)),
        ("name", text(&change.name)),
        ("type", text(&change.r#type)),
        ("fromValues", texts(&change.from_values)),
        ("toValues", texts(&change.to_values)),
        ("ttl", length(change.ttl.as_ref())),
        ("keyName", text(&change.key_name)),
        ("keyRef", text(&change.key_ref)),
        ("secondaries", texts(&change.secondaries)),
    ])
}

fn condition(condition: &Condition) -> Value {
    let (key, value) = match &condition.kind {
        Some(condition::Kind::Http(probe)) => (
            "http",
            block([
                ("url", text(&probe.url)),
                ("reverseUrl", text(&probe.reverse_url)),
                ("expectStatus", each(&probe.expect_status, |code| json!(code))),
                ("expectBody", text(&probe.expect_body)),
            ]),
        ),
        Some(condition::Kind::Tcp(probe)) => {
            ("tcp", block([("address", text(&probe.address)), ("reverseAddress", text(&probe.reverse_address))]))
        }
        Some(condition::Kind::Dns(probe)) => (
            "dns",
            block([
                ("server", text(&probe.server)),
                ("name", text(&probe.name)),
                ("type", text(&probe.r#type)),
                ("values", texts(&probe.values)),
                ("reverseValues", texts(&probe.reverse_values)),
            ]),
        ),
        Some(condition::Kind::Resource(asked)) => (
            "resource",
            block([
                ("resource", text(&asked.resource)),
                ("atTarget", flag(asked.at_target)),
                ("protected", flag(asked.protected)),
            ]),
        ),
        Some(condition::Kind::Sql(asked)) => (
            "sql",
            block([
                ("resource", text(&asked.resource)),
                ("query", text(&asked.query)),
                ("expect", text(&asked.expect)),
            ]),
        ),
        None => return block([("text", text(&condition.text))]),
    };
    block([("text", text(&condition.text)), (key, Some(value))])
}
