//! The messages of one approver: what there is to decide, what became of it, and what security hears of refused links.

use jiff::Timestamp;

use super::alert::status_name;
use super::lifecycle::{asks_for, movement, person};
use super::message::{MAX_LIST, MAX_TEXT_BYTES, Message, Severity, Source, clip, kind};
use crate::pb::common::v1::{Actor, Environment, Marker, Tier};
use crate::pb::plan::v1::PlanTest;
use crate::pb::readiness::v1::{Assessment, Status};
use crate::pb::request::v1::{IntentRefused, RequestOpened, RequestState, RequestView};
use crate::request::intent::consequences;
use crate::request::{scope_name, state_name};
use crate::time::{duration_from_pb, from_pb, humane};

/// The newest judgement of one of the request's systems.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub resource: &'a str,
    /// `None`: nobody has seen it. That is not green.
    pub look: Option<&'a Assessment>,
}

/// Asks one person. `level`: 0 at first, then the stage of the escalation.
pub fn asked(source: &Source, view: &RequestView, seen: &[Seen<'_>], level: u32, now: Timestamp) -> Option<Message> {
    let opened = view.opened.as_ref()?;
    let what = movement(opened);
    let mut m = about(source, kind::APPROVAL_ASKED, opened);
    m.severity = Severity::Warning;
    m.opens_thread = level == 0;
    let again = if level == 0 { "" } else { "AGAIN: " };
    m.set_subject(&format!("{again}Your decision is needed: {what}"));
    m.set_summary(&format!("{} You are asked because your approval can count.", asks_for(opened)));
    m.fact("Why", reason(opened));
    m.fact("Plan", plan(opened));
    m.fact("Positions", positions(seen));
    m.fact("Seen", seen.iter().map(|seen| looked(seen, now)).collect::<Vec<_>>().join("; "));
    m.fact("RTO expected", expected_rto(opened));
    m.fact("Decided already", decided(view));
    m.fact("Still missing", view.missing.join(", "));
    m.loss = losses(seen);
    m.reasons = consequences(view).iter().map(|text| clip(text, MAX_TEXT_BYTES)).collect();
    m.next_step =
        "Open the link, look at the evidence, and approve or deny on the page, logged in as yourself. The link \
                   is yours alone and works once; do not forward it. Opening it decides nothing."
            .into();
    Some(m)
}

/// Tells one person who was asked what became of it.
pub fn outcome(source: &Source, view: &RequestView) -> Option<Message> {
    let opened = view.opened.as_ref()?;
    let what = movement(opened);
    let mut m = about(source, kind::APPROVAL_OUTCOME, opened);
    let state = view.state();
    m.set_subject(&format!("No decision needed any more: {what} is {}", state_name(state)));
    m.set_summary(&match state {
        RequestState::PendingApproval => format!("An approval of the {what} was recorded. Others are still missing."),
        RequestState::Approved => format!("Every approval of the {what} is there. It has not started."),
        RequestState::Denied => format!("The {what} was denied. It will not run."),
        RequestState::Withdrawn => format!("The {what} was withdrawn. It will not run."),
        RequestState::Expired => format!("The {what} was not approved and started in time. It will not run."),
        _ => format!("The {what} is {}.", state_name(state)),
    });
    if state == RequestState::PendingApproval {
        m.set_subject(&format!("Recorded: your approval of the {what}"));
        m.fact("Still missing", view.missing.join(", "));
    }
    m.fact("Decided", decided(view));
    m.fact("Withdrawn by", view.withdrawn.as_ref().map(|w| person(w.actor.as_ref())).unwrap_or_default());
    m.next_step = "Nothing has to be done. The link of the earlier message decides nothing any more.".into();
    Some(m)
}

/// Links were tried that do not decide: forwarded, used again, made up.
pub fn links_refused(source: &Source, refused: &[IntentRefused], within: &str) -> Message {
    // Whoever tries links may be after production: the on-call may be told.
    let production = Environment::Production.into();
    let mut m = Message::about(source, kind::SECURITY_INTENTS_REFUSED, "", Tier::Tier1.into(), production);
    m.severity = Severity::Critical;
    m.set_subject(&format!("CRITICAL: {} decisions by links of messages were refused", refused.len()));
    m.set_summary(&format!(
        "Within {within}, {} attempts to decide by a link of a message were refused. Nothing was decided by them.",
        refused.len()
    ));
    m.reasons = refused.iter().rev().take(MAX_LIST).map(tried).collect();
    m.next_step =
        "Ask the people who are named whether it was them. A forwarded or stolen message can do no more than \
                   this; whoever decides must be logged in as the person who was asked. `muster audit list --type \
                   intent.refused` has each attempt."
            .into();
    m
}

fn about(source: &Source, kind: &str, opened: &RequestOpened) -> Message {
    let mut message = Message::about(source, kind, scope_name(opened), opened.tier, opened.environment);
    message.request_id = opened.request_id.clone();
    message
}

fn reason(opened: &RequestOpened) -> String {
    if opened.ticket.is_empty() { opened.reason.clone() } else { format!("{} ({})", opened.reason, opened.ticket) }
}

fn plan(opened: &RequestOpened) -> String {
    let Some(plan) = &opened.plan else { return "none recorded".to_owned() };
    let name = if plan.name.is_empty() { "built-in" } else { &plan.name };
    format!("{name} version {}, hash {}", plan.version, plan.hash)
}

fn positions(seen: &[Seen<'_>]) -> String {
    let markers = seen.iter().filter_map(|seen| seen.look).flat_map(|look| look.primary.iter().chain(&look.standby));
    let words: Vec<String> = markers.map(marker).collect();
    if words.is_empty() { "not known".to_owned() } else { words.join("; ") }
}

fn marker(marker: &Marker) -> String {
    let Marker { node, site, role, timeline, lsn, .. } = marker;
    format!("{node} ({site}, {role}): timeline {timeline} at {}", if lsn.is_empty() { "unknown" } else { lsn })
}

fn looked(seen: &Seen<'_>, now: Timestamp) -> String {
    let status = status_name(seen.look.map_or(Status::Unknown, Assessment::status));
    let at = seen.look.and_then(|look| from_pb(look.observed_at.as_ref()));
    match at {
        Some(at) => format!(
            "{} {status}, {} ago",
            seen.resource,
            humane(now.duration_since(at).max(jiff::SignedDuration::ZERO))
        ),
        None => format!("{} {status}, never", seen.resource),
    }
}

fn losses(seen: &[Seen<'_>]) -> Vec<String> {
    let statement = |seen: &Seen<'_>| {
        let loss = seen.look.and_then(|look| look.loss.as_ref()).filter(|loss| !loss.text.is_empty());
        let text = loss.map_or("nothing is known about missing data: it cannot be bounded", |loss| &loss.text);
        clip(&format!("{}: {text}", seen.resource), MAX_TEXT_BYTES)
    };
    seen.iter().take(MAX_LIST).map(statement).collect()
}

/// By what drills and runs of the plan took.
fn expected_rto(opened: &RequestOpened) -> String {
    let tests = opened.evidence.as_ref().map(|evidence| evidence.past_tests.as_slice()).unwrap_or_default();
    let measured = |test: &PlanTest| {
        let took = duration_from_pb(test.rto_measured.as_ref()).filter(|_| test.passed)?;
        let at = from_pb(test.at.as_ref()).map(|at| format!("{at:.0}")).unwrap_or_default();
        Some(format!("{} in the {} of {at}", humane(took), test.r#type))
    };
    tests.iter().find_map(measured).unwrap_or_else(|| "not known: no passed test of this plan measured it".to_owned())
}

fn decided(view: &RequestView) -> String {
    let yes = view.approvals.iter().map(|a| format!("{} approved as {}", person(a.approver.as_ref()), a.place));
    let no = view.denied.iter().map(|d| format!("{} denied: {}", person(d.approver.as_ref()), d.reason));
    let all: Vec<String> = yes.chain(no).collect();
    if all.is_empty() { "nobody yet".to_owned() } else { all.join("; ") }
}

fn tried(refused: &IntentRefused) -> String {
    let code = refused.refusal.as_ref().map(|refusal| refusal.code.as_str()).unwrap_or_default();
    let at = from_pb(refused.refused_at.as_ref()).map(|at| format!("{at:.0}")).unwrap_or_default();
    let who = |actor: &Actor| format!("{} ({})", actor.name, actor.id);
    let by = refused.by.as_ref().map(who).unwrap_or_else(|| "somebody".to_owned());
    clip(&format!("{at} {code} by {by}, {}", refused.via), MAX_TEXT_BYTES)
}
