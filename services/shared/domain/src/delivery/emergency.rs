//! Messages about what is out of the ordinary in a request's life: approvals skipped, asked for again, checks overridden.

use super::lifecycle::person;
use super::message::{Message, Severity};
use crate::access::role_name;
use crate::pb::request::v1::{
    BreakGlass, BreakGlassReviewOverdue, BreakGlassReviewed, CheckOverridden, RequestConfirmed, RequestEscalated,
    RequestOpened,
};
use crate::time::{PbTimestamp, duration_from_pb, from_pb, humane};

/// Somebody states an emergency. Everybody whose approval may be skipped is told before it is.
pub(super) fn asked(mut m: Message, what: &str, opened: &RequestOpened, glass: &BreakGlass) -> Message {
    m.severity = Severity::Critical;
    m.opens_thread = true;
    m.set_subject(&format!("BREAK-GLASS: {what} can start without its approvals"));
    m.set_summary(&format!(
        "{} states an emergency for the {what}, away from {}. It can be started without the missing approvals.",
        person(opened.requester.as_ref()),
        opened.from_site
    ));
    m.fact("Incident", &glass.incident);
    m.fact("Why", &glass.reason);
    m.fact("Skipped", skipped(&glass.skipped));
    m.fact("Until", time(glass.until.as_ref()));
    m.next_step = "Approvers and security: look at it now. Approve it, or deny it when there is no such incident; a \
                   denial closes it."
        .into();
    m
}

/// It was started with approvals missing.
pub(super) fn broken(mut m: Message, what: &str, opened: &RequestOpened, confirmed: &RequestConfirmed) -> Message {
    m.severity = Severity::Critical;
    m.set_subject(&format!("GLASS BROKEN: {what} starts without its approvals"));
    m.set_summary(&format!(
        "{} typed the confirmation phrase. The {what} starts now, without the approvals that are missing.",
        person(confirmed.actor.as_ref())
    ));
    if let Some(glass) = &opened.break_glass {
        m.fact("Incident", &glass.incident);
        m.fact("Why", &glass.reason);
        let within = from_pb(glass.review_due.as_ref())
            .zip(from_pb(glass.until.as_ref()))
            .map_or_else(|| "by the policy".to_owned(), |(due, until)| humane(due.duration_since(until)));
        m.fact("Review due within", within);
    }
    m.fact("Skipped", skipped(&confirmed.missing));
    m.fact("In a change freeze", &confirmed.freeze);
    m.next_step = "Follow the run on the page; approvers can stop it there. Afterwards somebody who neither asked for \
                   it nor started it records the review."
        .into();
    m
}

/// Nobody broke it in its time.
pub(super) fn lapsed(mut m: Message, what: &str) -> Message {
    m.set_subject(&format!("Expired: break-glass for the {what}"));
    m.set_summary(&format!("The emergency path for the {what} was not used in its time. It will not run."));
    m.next_step = "If the move is still needed, open a new request.".into();
    m
}

pub(super) fn reviewed(mut m: Message, what: &str, review: &BreakGlassReviewed) -> Message {
    let verdict = if review.justified { "justified" } else { "NOT justified" };
    m.severity = if review.justified { Severity::Info } else { Severity::Warning };
    m.set_subject(&format!("Break-glass reviewed, {verdict}: {what}"));
    m.set_summary(&format!("{} reviewed the broken glass of the {what}: {verdict}.", person(review.actor.as_ref())));
    m.fact("Findings", &review.findings);
    m.next_step = "The review stays with the request. Follow up on what it found.".into();
    m
}

pub(super) fn overdue(mut m: Message, what: &str, overdue: &BreakGlassReviewOverdue) -> Message {
    m.severity = Severity::Critical;
    m.set_subject(&format!("REVIEW OVERDUE: break-glass of the {what}"));
    m.set_summary(&format!("Approvals of the {what} were skipped, and nobody has recorded the review in time."));
    m.fact("Due", time(overdue.due.as_ref()));
    m.next_step =
        "An approver or admin who neither asked for it nor started it reviews it: `muster request review`.".into();
    m
}

/// Asked again. A timer that came late says so: the people it was for had less time.
pub(super) fn escalated(mut m: Message, what: &str, opened: &RequestOpened, escalated: &RequestEscalated) -> Message {
    m.severity = Severity::Warning;
    m.only_routes.clone_from(&escalated.routes);
    m.set_subject(&format!("Still waiting for approval: {what}"));
    m.set_summary(&format!("The {what} still waits. Nobody who is missing has decided."));
    m.fact("Missing", escalated.missing.join(", "));
    m.fact("Stage", escalated.stage.to_string());
    m.fact("Late by", late(opened, escalated));
    m.fact("Expires at", time(opened.expires_at.as_ref()));
    m.fact("Why", &opened.reason);
    m.next_step = "Approvers: open the page, look at the evidence, approve or reject there.".into();
    m
}

/// Empty when it came in time.
fn late(opened: &RequestOpened, escalated: &RequestEscalated) -> String {
    let stage = usize::try_from(escalated.stage).unwrap_or_default();
    let after = stage.checked_sub(1).and_then(|index| opened.escalations.get(index));
    let due = from_pb(opened.opened_at.as_ref())
        .zip(after.and_then(|escalation| duration_from_pb(escalation.after.as_ref())))
        .and_then(|(at, after)| at.checked_add(after).ok());
    let late = from_pb(escalated.escalated_at.as_ref()).zip(due).map(|(at, due)| at.duration_since(due));
    late.filter(|late| late.as_secs() >= 60).map(humane).unwrap_or_default()
}

pub(super) fn overridden(mut m: Message, what: &str, overridden: &CheckOverridden) -> Message {
    let of = if overridden.resource.is_empty() { String::new() } else { format!(" of {}", overridden.resource) };
    m.severity = Severity::Warning;
    m.set_subject(&format!("Check overridden: {what}"));
    m.set_summary(&format!(
        "{} takes the responsibility for the check {}{of}, should it say no when the {what} begins.",
        person(overridden.actor.as_ref()),
        overridden.check
    ));
    m.fact("As", role_name(overridden.as_role()));
    m.fact("Reason", &overridden.reason);
    m.next_step = "Approvers who do not agree deny the request.".into();
    m
}

fn skipped(missing: &[String]) -> String {
    if missing.is_empty() { "none".to_owned() } else { missing.join(", ") }
}

fn time(at: Option<&PbTimestamp>) -> String {
    from_pb(at).map_or_else(|| "not known".to_owned(), |at| format!("{at:.0}"))
}
