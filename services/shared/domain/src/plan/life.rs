//! From a draft to the text that runs use: asked for by one person, published by another.

use jiff::Timestamp;

use super::Plan;
use super::lint::errors;
use crate::pb::common::v1::{Actor, ActorKind};
use crate::pb::inventory::v1::Document;
use crate::pb::plan::v1::{
    Lint, PlanEvent, PlanPublished, PlanRef, PlanReturned, PlanState, PlanSubmitted, plan_event::Event,
};
use crate::refusal::{Refusal, field_refusal, refusal};
use crate::request::MAX_TEXT;
use crate::text::must_be_plain;
use crate::time::to_pb;

type Decision = Result<Option<PlanEvent>, Refusal>;

/// Where the newest text stands, and in words what of it runs use. `newest` is the hash of the newest text now.
pub fn state(plan: &Plan, newest: &PlanRef) -> (PlanState, String) {
    let in_use = match plan.published_ref() {
        None => "Never published: runs use the built-in plan.".to_owned(),
        Some(published) if published.version == newest.version => {
            format!("Version {} is published: runs use it.", published.version)
        }
        Some(published) => format!(
            "Version {} is published and in use; version {} is newer and not published.",
            published.version, newest.version
        ),
    };
    let submitted = plan.submitted.as_ref().and_then(|submitted| submitted.plan.as_ref());
    match submitted {
        Some(submitted) if submitted.hash == newest.hash => {
            (PlanState::InReview, format!("Version {} waits for its review. {in_use}", newest.version))
        }
        Some(submitted) => (
            published_or_draft(plan, newest),
            format!(
                "It was changed after version {} was submitted, so that review is void: submit it again. {in_use}",
                submitted.version
            ),
        ),
        None => (published_or_draft(plan, newest), in_use),
    }
}

fn published_or_draft(plan: &Plan, newest: &PlanRef) -> PlanState {
    // A change of a member document makes another hash of the same text: the text stays published, its proof does not
    // stay.
    match plan.published_ref() {
        Some(published) if published.version == newest.version => PlanState::Published,
        _ => PlanState::Draft,
    }
}

/// Asks for the review of the newest text. `version` is the one that the person meant, `newest` what is declared now,
/// `findings` the linter's on it. Asking again for the same text changes nothing.
pub fn submit(
    plan: &Plan,
    newest: &PlanRef,
    version: u64,
    findings: Vec<Lint>,
    actor: &Actor,
    now: Timestamp,
) -> Decision {
    must_be_a_person(actor, "submitting a plan")?;
    if version != newest.version {
        return Err(field_refusal(
            "plan_version",
            "PLAN_VERSION_OLD",
            "what is submitted is the newest text",
            format!("version {version}"),
            format!("version {}", newest.version),
            "read the newest version and submit that",
        ));
    }
    must_have_no_errors(&findings)?;
    let same = |plan: Option<&PlanRef>| plan.is_some_and(|plan| plan.hash == newest.hash);
    if same(plan.submitted.as_ref().and_then(|submitted| submitted.plan.as_ref())) || same(plan.published_ref()) {
        return Ok(None);
    }
    event(Event::Submitted(PlanSubmitted {
        plan: Some(newest.clone()),
        actor: Some(actor.clone()),
        submitted_at: Some(to_pb(now)),
        findings,
    }))
}

/// Sends the text under review back with what is wrong.
pub fn return_(plan: &Plan, reason: &str, actor: &Actor, now: Timestamp) -> Decision {
    must_be_a_person(actor, "returning a plan")?;
    let submitted = in_review(plan)?;
    required_text("reason", reason)?;
    event(Event::Returned(PlanReturned {
        plan: submitted.plan.clone(),
        actor: Some(actor.clone()),
        reason: reason.trim().to_owned(),
        returned_at: Some(to_pb(now)),
    }))
}

/// What the publisher has in front of them.
#[derive(Debug, Clone)]
pub struct Publication<'a> {
    /// The newest text and its hash now.
    pub newest: &'a PlanRef,
    /// Its document: who declared it may not publish it.
    pub document: &'a Document,
    /// The hash that the person reviewed.
    pub hash: &'a str,
    /// The linter's, of now.
    pub findings: Vec<Lint>,
    pub note: &'a str,
}

/// Makes the text under review the one that runs use. Never by who submitted or wrote it.
pub fn publish(plan: &Plan, publication: Publication<'_>, actor: &Actor, now: Timestamp) -> Decision {
    let Publication { newest, document, hash, findings, note } = publication;
    must_be_a_person(actor, "publishing a plan")?;
    let published = plan.published_ref().is_some_and(|published| published.hash == hash);
    if plan.submitted.is_none() && published {
        return Ok(None);
    }
    let submitted = in_review(plan)?;
    let reviewed = submitted.plan.as_ref().map(|plan| plan.hash.as_str()).unwrap_or_default();
    if hash != reviewed || newest.hash != reviewed {
        let value = if hash == reviewed {
            format!("the plan or something it moves was changed: its hash is now {}", newest.hash)
        } else {
            hash.chars().take(80).collect()
        };
        return Err(field_refusal(
            "hash",
            "PLAN_CHANGED",
            "exactly the text that was submitted is published",
            value,
            reviewed,
            "read the plan as it is now, have it submitted again, and publish that hash",
        ));
    }
    let submitter = submitted.actor.as_ref().map(|actor| actor.id.as_str()).unwrap_or_default();
    if actor.id == submitter || actor.id == document.declared_by {
        return Err(refusal(
            "PUBLISHER_IS_AUTHOR",
            "a plan is published by another person than the one who submitted it and the one who wrote this version",
            if actor.id == submitter {
                format!("{} submitted it", actor.name)
            } else {
                format!("{} declared version {}", actor.name, document.version)
            },
            "another person",
            "ask somebody else with the role to read and publish it",
        ));
    }
    must_have_no_errors(&findings)?;
    if !note.is_empty() {
        required_text("note", note)?;
    }
    event(Event::Published(PlanPublished {
        plan: Some(newest.clone()),
        actor: Some(actor.clone()),
        published_at: Some(to_pb(now)),
        findings,
        note: note.trim().to_owned(),
    }))
}

fn in_review(plan: &Plan) -> Result<&PlanSubmitted, Refusal> {
    plan.submitted.as_ref().ok_or_else(|| {
        refusal(
            "PLAN_NOT_IN_REVIEW",
            "what is returned or published was submitted before",
            "no review is open",
            "a submitted plan",
            "submit its newest version first",
        )
    })
}

fn must_have_no_errors(findings: &[Lint]) -> Result<(), Refusal> {
    let errors = errors(findings);
    let Some(first) = errors.first() else { return Ok(()) };
    let place = if first.step.is_empty() { String::new() } else { format!("step {}: ", first.step) };
    Err(refusal(
        "PLAN_HAS_ERRORS",
        "only a plan without errors is submitted or published",
        format!("{} errors, the first: {} {place}{}", errors.len(), first.code, first.text),
        "no errors",
        first.next_action.clone(),
    ))
}

fn must_be_a_person(actor: &Actor, what: &str) -> Result<(), Refusal> {
    if actor.kind() == ActorKind::Person {
        return Ok(());
    }
    Err(refusal(
        "PERSON_REQUIRED",
        format!("{what} takes a person's judgement"),
        actor.id.clone(),
        "a person who logged in",
        "log in as a person",
    ))
}

fn required_text(field: &str, text: &str) -> Result<(), Refusal> {
    let length = text.chars().count();
    if text.trim().is_empty() || length > MAX_TEXT {
        return Err(field_refusal(
            field,
            "FIELD_INVALID",
            format!("the {field} is kept with the plan"),
            if text.trim().is_empty() { "empty".to_owned() } else { format!("{length} characters") },
            format!("1 to {MAX_TEXT} characters"),
            format!("give a {field}"),
        ));
    }
    must_be_plain(field, text)
}

fn event(event: Event) -> Decision {
    Ok(Some(PlanEvent { event: Some(event) }))
}
