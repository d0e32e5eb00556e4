//! A plan's own form. Whether it is a good plan is the linter's question (`crate::plan`), asked before it is published.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::validate::{Finding, duration, shorten, text};
use super::validate_resource::secret_ref;
use crate::ids::check_name;
use crate::pb::plan::v1::{Action, Condition, PlanSpec, PlanStep, action, condition, plan_spec};
use crate::pb::request::v1::RequestType;
use crate::plan::{
    MAX_AFTER, MAX_CONDITIONS, MAX_CONTACTS, MAX_PHASES, MAX_STEPS, MAX_VALUES, PLAN_TYPES, secret_in_url, step_types,
};
use crate::request::{type_name, type_of};
use crate::text::must_be_plain;

/// Longest text of a step: a page on the run-card, not a book.
const MAX_LONG_TEXT: usize = 4_000;
const MAX_URL: usize = 2_000;
/// Longer objectives are not disaster recovery any more.
const MAX_TARGET: SignedDuration = SignedDuration::from_hours(24 * 30);
/// A proof that is older than this was of other people and other machines.
const MAX_PROOF: SignedDuration = SignedDuration::from_hours(24 * 731);
/// Whatever is longer is no timeout. The linter knows a tighter limit.
const MAX_TIMEOUT: SignedDuration = SignedDuration::from_hours(24 * 30);

pub(super) fn validate_plan(found: &mut Finding, spec: &PlanSpec) {
    text(found, "spec.displayName", &spec.display_name);
    text(found, "spec.owner", &spec.owner);
    long_text(found, "spec.description", &spec.description);
    long_text(found, "spec.notes", &spec.notes);
    scope(found, spec);
    for (field, site) in [("spec.fromSite", &spec.from_site), ("spec.toSite", &spec.to_site)] {
        id(found, field, "site", site);
    }
    types(found, "spec.types", &spec.types, &PLAN_TYPES);
    duration(found, "spec.rto", spec.rto.as_ref(), MAX_TARGET);
    duration(found, "spec.rpo", spec.rpo.as_ref(), MAX_TARGET);
    duration(found, "spec.proofValidFor", spec.proof_valid_for.as_ref(), MAX_PROOF);
    at_most(found, "spec.contacts", spec.contacts.len(), MAX_CONTACTS);
    for (index, contact) in spec.contacts.iter().enumerate().take(MAX_CONTACTS) {
        let field = format!("spec.contacts[{index}]");
        text(found, &format!("{field}.name"), &contact.name);
        text(found, &format!("{field}.role"), &contact.role);
        text(found, &format!("{field}.reach"), &contact.reach);
    }
    phases(found, spec);
}

fn scope(found: &mut Finding, spec: &PlanSpec) {
    match &spec.scope {
        Some(plan_spec::Scope::Group(name)) => id(found, "spec.group", "group", name),
        Some(plan_spec::Scope::Resource(name)) => id(found, "spec.resource", "resource", name),
        None => found.fault("spec", "a plan moves something", "absent", "group or resource", "name what it moves"),
    }
}

fn phases(found: &mut Finding, spec: &PlanSpec) {
    let count = spec.phases.iter().map(|phase| phase.steps.len()).sum::<usize>();
    at_most(found, "spec.phases", spec.phases.len(), MAX_PHASES);
    at_most(found, "spec.phases[].steps", count, MAX_STEPS);
    if spec.phases.len() > MAX_PHASES || count > MAX_STEPS {
        return;
    }
    let (mut names, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for (index, phase) in spec.phases.iter().enumerate() {
        let field = format!("spec.phases[{index}]");
        id(found, &format!("{field}.name"), "phase", &phase.name);
        text(found, &format!("{field}.title"), &phase.title);
        once(found, &format!("{field}.name"), &phase.name, names.insert(phase.name.as_str()));
        for (index, step) in phase.steps.iter().enumerate() {
            let field = format!("{field}.steps[{index}]");
            once(found, &format!("{field}.id"), &step.id, ids.insert(step.id.as_str()));
            self::step(found, &field, step);
        }
    }
}

fn step(found: &mut Finding, field: &str, step: &PlanStep) {
    let at = |name: &str| format!("{field}.{name}");
    id(found, &at("id"), "step", &step.id);
    text(found, &at("title"), &step.title);
    text(found, &at("owner"), &step.owner);
    text(found, &at("noUndoBecause"), &step.no_undo_because);
    duration(found, &at("timeout"), step.timeout.as_ref(), MAX_TIMEOUT);
    at_most(found, &at("after"), step.after.len(), MAX_AFTER);
    for other in step.after.iter().take(MAX_AFTER) {
        id(found, &at("after"), "step", other);
    }
    let kept_for: Vec<RequestType> = step_types().collect();
    types(found, &at("onlyFor"), &step.only_for, &kept_for);
    for (name, conditions) in [("prechecks", &step.prechecks), ("postchecks", &step.postchecks)] {
        at_most(found, &at(name), conditions.len(), MAX_CONDITIONS);
        for (index, condition) in conditions.iter().enumerate().take(MAX_CONDITIONS) {
            self::condition(found, &format!("{field}.{name}[{index}]"), condition);
        }
    }
    for (action, field) in [(&step.action, field.to_owned()), (&step.undo, at("undo"))] {
        if let Some(action) = action {
            self::action(found, &field, action);
        }
    }
}

fn action(found: &mut Finding, field: &str, action: &Action) {
    let at = |name: &str| format!("{field}.{name}");
    match &action.kind {
        Some(action::Kind::Move(action)) => id(found, &at("move"), "resource", &action.resource),
        Some(action::Kind::Wait(wait)) => {
            if let Some(until) = &wait.until {
                condition(found, &at("wait"), until);
            }
        }
        Some(action::Kind::Http(http)) => {
            url(found, &at("http.url"), &http.url);
            url(found, &at("http.reverseUrl"), &http.reverse_url);
            text(found, &at("http.method"), &http.method);
            text(found, &at("http.contentType"), &http.content_type);
            long_text(found, &at("http.body"), &http.body);
            optional_secret(found, &at("http.tokenRef"), &http.token_ref);
            at_most(found, &at("http.expectStatus"), http.expect_status.len(), MAX_VALUES);
        }
        Some(action::Kind::Dns(dns)) => {
            for (name, value) in [
                ("server", &dns.server),
                ("zone", &dns.zone),
                ("name", &dns.name),
                ("type", &dns.r#type),
                ("keyName", &dns.key_name),
            ] {
                text(found, &at(&format!("dns.{name}")), value);
            }
            for (name, values) in
                [("fromValues", &dns.from_values), ("toValues", &dns.to_values), ("secondaries", &dns.secondaries)]
            {
                texts(found, &at(&format!("dns.{name}")), values);
            }
            optional_secret(found, &at("dns.keyRef"), &dns.key_ref);
        }
        Some(action::Kind::Command(command)) => {
            id(found, &at("command.name"), "command", &command.name);
            texts(found, &at("command.arguments"), &command.arguments);
        }
        Some(action::Kind::Notify(notify)) => long_text(found, &at("notify"), &notify.text),
        Some(action::Kind::Manual(manual)) => long_text(found, &at("manual.instructions"), &manual.instructions),
        None => {}
    }
}

fn condition(found: &mut Finding, field: &str, condition: &Condition) {
    let at = |name: &str| format!("{field}.{name}");
    text(found, &at("text"), &condition.text);
    match &condition.kind {
        Some(condition::Kind::Http(probe)) => {
            url(found, &at("http.url"), &probe.url);
            url(found, &at("http.reverseUrl"), &probe.reverse_url);
            text(found, &at("http.expectBody"), &probe.expect_body);
            at_most(found, &at("http.expectStatus"), probe.expect_status.len(), MAX_VALUES);
        }
        Some(condition::Kind::Tcp(probe)) => {
            text(found, &at("tcp.address"), &probe.address);
            text(found, &at("tcp.reverseAddress"), &probe.reverse_address);
        }
        Some(condition::Kind::Dns(probe)) => {
            for (name, value) in [("server", &probe.server), ("name", &probe.name), ("type", &probe.r#type)] {
                text(found, &at(&format!("dns.{name}")), value);
            }
            texts(found, &at("dns.values"), &probe.values);
            texts(found, &at("dns.reverseValues"), &probe.reverse_values);
        }
        Some(condition::Kind::Resource(about)) => id(found, &at("resource.resource"), "resource", &about.resource),
        Some(condition::Kind::Sql(question)) => {
            id(found, &at("sql.resource"), "resource", &question.resource);
            long_text(found, &at("sql.query"), &question.query);
            text(found, &at("sql.expect"), &question.expect);
        }
        None => {}
    }
}

fn id(found: &mut Finding, field: &str, what: &'static str, value: &str) {
    if let Err(e) = check_name(what, value) {
        found.fault(field, "names become ids", e.value, e.rule, "choose another name");
    }
}

fn once(found: &mut Finding, field: &str, name: &str, is_first: bool) {
    if !is_first {
        found.fault(field, "names of steps and phases are unique", shorten(name), "once in the plan", "choose another");
    }
}

fn at_most(found: &mut Finding, field: &str, count: usize, limit: usize) {
    if count > limit {
        found.fault(
            field,
            "people follow a plan while it runs",
            count.to_string(),
            format!("at most {limit}"),
            "join some, or split the plan",
        );
    }
}

fn types(found: &mut Finding, field: &str, names: &[String], known: &[RequestType]) {
    for name in names.iter().filter(|name| !type_of(name).is_some_and(|kind| known.contains(&kind))) {
        let allowed: Vec<&str> = known.iter().map(|kind| type_name(*kind)).collect();
        found.fault(field, "types of runs", shorten(name), allowed.join(", "), "use one of these");
    }
}

fn texts(found: &mut Finding, field: &str, values: &[String]) {
    at_most(found, field, values.len(), MAX_VALUES);
    for value in values.iter().take(MAX_VALUES) {
        text(found, field, value);
    }
}

/// A text of several lines.
fn long_text(found: &mut Finding, field: &str, value: &str) {
    let length = value.chars().count();
    if length > MAX_LONG_TEXT {
        found.fault(
            field,
            "texts are of limited length",
            format!("{length} characters"),
            format!("at most {MAX_LONG_TEXT}"),
            "shorten it, or refer to a document",
        );
    }
    if let Err(refusal) = must_be_plain(field, value) {
        found.faults.push(refusal);
    }
}

/// A manifest is kept in the record for ever, so a secret must not even be declared.
fn url(found: &mut Finding, field: &str, value: &str) {
    if value.len() > MAX_URL || value.chars().any(char::is_control) {
        found.fault(
            field,
            "an address is one line of limited length",
            format!("{} bytes", value.len()),
            format!("at most {MAX_URL}, no control characters"),
            "correct the address",
        );
    }
    if let Some(secret) = secret_in_url(value) {
        found.fault(
            field,
            "a manifest is kept for ever and read by many, so no address in it holds a secret",
            format!("{secret} (not shown)"),
            "no user, password or token in the URL",
            "put it into the secret store and name it in tokenRef",
        );
    }
}

fn optional_secret(found: &mut Finding, field: &str, reference: &str) {
    if !reference.is_empty() {
        secret_ref(found, field, reference);
    }
}
