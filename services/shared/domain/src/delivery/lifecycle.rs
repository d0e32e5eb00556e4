//! Messages from a request's life: asked for, decided, started, ended.

use crate::access::role_name;
use crate::pb::common::v1::Actor;
use crate::pb::execution::v1::{
    ExecutionEvent, ExecutionFailed, ExecutionStarted, ExecutionStopped, ExecutionSucceeded, execution_event,
};
use crate::pb::request::v1::{RequestApproved, RequestEvent, RequestOpened, RequestType, request_event};
use crate::time::{duration_from_pb, from_pb, humane};

use super::emergency;
use super::message::{MAX_TEXT_BYTES, Message, Severity, Source, clip, kind};
use crate::request::{policy_words, scope_name};

/// The output by which a step of a plan says that people are to be told: its text.
pub const NOTICE: &str = "notice";

/// The message of a request's event. `opened` is the request's own first event.
pub fn request_message(source: &Source, event: &RequestEvent, opened: &RequestOpened) -> Option<Message> {
    use request_event::Event;
    let about = |kind| about(source, kind, opened);
    let what = movement(opened);
    Some(match event.event.as_ref()? {
        Event::Opened(_) => match &opened.break_glass {
            Some(glass) => emergency::asked(about(kind::REQUEST_BREAK_GLASS), &what, opened, glass),
            None => created(about(kind::REQUEST_CREATED), opened),
        },
        Event::Approved(e) => approved(about(kind::REQUEST_APPROVED), opened, e),
        Event::Denied(e) => {
            let mut m = about(kind::REQUEST_REJECTED);
            m.severity = Severity::Warning;
            m.set_subject(&format!("Rejected: {what}"));
            m.set_summary(&format!("{} rejected the {what}. It will not run.", person(e.approver.as_ref())));
            m.fact("Reason", &e.reason);
            m.next_step = "A rejected request is final. Whoever still needs the move opens a new request.".into();
            m
        }
        Event::Withdrawn(e) => {
            let mut m = about(kind::REQUEST_WITHDRAWN);
            m.set_subject(&format!("Withdrawn: {what}"));
            m.set_summary(&format!("{} withdrew the {what}. It will not run.", person(e.actor.as_ref())));
            m.fact("Reason", &e.reason);
            m.next_step = "Nothing has to be done.".into();
            m
        }
        Event::Expired(e) => {
            let mut m = about(kind::REQUEST_EXPIRED);
            m.severity = Severity::Warning;
            m.set_subject(&format!("Expired: {what}"));
            m.set_summary(&format!("The {what} was not approved and started in time. It will not run."));
            m.fact("Note", &e.note);
            m.next_step = "If the move is still needed, open a new request and reach the approvers directly.".into();
            m
        }
        Event::Confirmed(e) if e.break_glass => emergency::broken(about(kind::REQUEST_BREAK_GLASS), &what, opened, e),
        Event::Confirmed(e) => {
            let mut m = about(kind::REQUEST_CONFIRMED);
            m.severity = Severity::Warning;
            m.set_subject(&format!("Confirmed: {what} is about to start"));
            m.set_summary(&format!(
                "{} typed the confirmation phrase. The {what} starts now.",
                person(e.actor.as_ref())
            ));
            m.next_step = "Follow the run on the page. Operators and approvers can stop it there.".into();
            m
        }
        Event::CheckOverridden(e) => emergency::overridden(about(kind::REQUEST_CHECK_OVERRIDDEN), &what, e),
        Event::Escalated(e) => emergency::escalated(about(kind::REQUEST_ESCALATED), &what, opened, e),
        Event::BreakGlassReviewed(e) => emergency::reviewed(about(kind::REQUEST_BREAK_GLASS_REVIEWED), &what, e),
        Event::BreakGlassReviewOverdue(e) => {
            emergency::overdue(about(kind::REQUEST_BREAK_GLASS_REVIEW_OVERDUE), &what, e)
        }
        Event::BreakGlassLapsed(_) => emergency::lapsed(about(kind::REQUEST_EXPIRED), &what),
    })
}

/// The message of an execution's event; steps and checks in between make none.
pub fn execution_message(source: &Source, event: &ExecutionEvent, opened: &RequestOpened) -> Option<Message> {
    use execution_event::Event;
    let about = |kind| about(source, kind, opened);
    match event.event.as_ref()? {
        Event::Started(e) => Some(started(about(kind::REQUEST_STARTED), opened, e)),
        Event::Succeeded(e) => Some(succeeded(about(kind::REQUEST_SUCCEEDED), opened, e)),
        Event::Failed(e) => Some(failed(about(kind::REQUEST_FAILED), opened, e)),
        Event::Stopped(e) => Some(stopped(about(kind::REQUEST_STOPPED), opened, e)),
        Event::StepSucceeded(e) => e.outputs.get(NOTICE).map(|text| notice(about(kind::PLAN_NOTICE), opened, text)),
        Event::ChecksRecorded(_)
        | Event::MarkersCaptured(_)
        | Event::StepClaimed(_)
        | Event::StepFailed(_)
        | Event::StopRequested(_)
        | Event::TookOver(_)
        | Event::PauseRequested(_)
        | Event::Resumed(_)
        | Event::StepWaiting(_)
        | Event::ManualStepDecided(_)
        | Event::UndoBegun(_)
        | Event::IntegrityRecorded(_)
        | Event::DrillCopyRecorded(_)
        | Event::Noted(_) => None,
    }
}

/// Whether [`execution_message`] makes a message of it; most steps of a run do not.
pub fn is_told(event: &ExecutionEvent) -> bool {
    use execution_event::Event;
    match &event.event {
        Some(Event::Started(_) | Event::Succeeded(_) | Event::Failed(_) | Event::Stopped(_)) => true,
        Some(Event::StepSucceeded(step)) => step.outputs.contains_key(NOTICE),
        _ => false,
    }
}

/// What a run knows of its request, should the request itself not be there.
pub fn opened_from_run(started: &ExecutionStarted) -> RequestOpened {
    let kind = crate::request::type_of(&started.r#type).unwrap_or(RequestType::Unspecified);
    RequestOpened {
        request_id: started.request_id.clone(),
        r#type: kind.into(),
        resource: started.resource.clone(),
        from_site: started.from_site.clone(),
        target_site: started.target_site.clone(),
        tier: started.tier,
        environment: started.environment,
        ..RequestOpened::default()
    }
}

fn about(source: &Source, kind: &str, opened: &RequestOpened) -> Message {
    let mut message = Message::about(source, kind, scope_name(opened), opened.tier, opened.environment);
    message.request_id = opened.request_id.clone();
    message.fact("Requested by", person(opened.requester.as_ref()));
    message.fact("Ticket", &opened.ticket);
    message
}

fn created(mut m: Message, opened: &RequestOpened) -> Message {
    let what = movement(opened);
    m.severity = Severity::Warning;
    m.opens_thread = true;
    m.set_subject(&format!("Approval needed: {what}"));
    m.set_summary(&asks_for(opened));
    m.fact("Why", &opened.reason);
    m.fact("Approvals needed", opened.policy.as_ref().map_or_else(|| "none by policy".to_owned(), policy_words));
    if let Some(plan) = &opened.plan {
        let name = if plan.name.is_empty() { "built-in" } else { &plan.name };
        m.fact("Plan", format!("{name} version {}, hash {}", plan.version, plan.hash));
    }
    if let Some(at) = from_pb(opened.expires_at.as_ref()) {
        m.fact("Expires at", format!("{at:.0}"));
    }
    m.next_step = "Approvers: open the page, look at the evidence, approve or reject there. Nothing runs before the approvals and the typed confirmation.".into();
    m
}

fn approved(mut m: Message, opened: &RequestOpened, e: &RequestApproved) -> Message {
    let what = movement(opened);
    let who = person(e.approver.as_ref());
    m.fact("As", role_name(e.as_role()));
    m.fact("Note", &e.note);
    if e.completes {
        m.set_subject(&format!("Approved: {what}"));
        m.set_summary(&format!("{who} approved the {what}. Every approval is there."));
        m.next_step = "An operator can now start it on the page with the confirmation phrase, until it expires.".into();
    } else {
        m.set_subject(&format!("Partly approved: {what}"));
        m.set_summary(&format!("{who} approved the {what}. It still cannot start."));
        m.fact("Still missing", e.missing.join(", "));
        m.next_step = "The missing approvers open the page and decide.".into();
    }
    m
}

fn started(mut m: Message, opened: &RequestOpened, e: &ExecutionStarted) -> Message {
    let what = movement(opened);
    m.severity = Severity::Warning;
    m.set_subject(&format!("Started: {what}"));
    m.set_summary(&format!("The {what} is running, from {} to {}.", e.from_site, e.target_site));
    m.fact("Steps", e.steps.len().to_string());
    if let Some(target) = duration_from_pb(e.rto_target.as_ref()) {
        m.fact("RTO target", humane(target));
    }
    m.next_step = "Follow the run on the page. Operators and approvers can stop it there.".into();
    m
}

fn succeeded(mut m: Message, opened: &RequestOpened, e: &ExecutionSucceeded) -> Message {
    let what = movement(opened);
    m.set_subject(&format!("Succeeded: {what}"));
    m.set_summary(&format!("The {what} is done: the system runs on {}.", opened.target_site));
    let rto = duration_from_pb(e.rto_measured.as_ref()).map_or_else(|| "not measured".to_owned(), humane);
    m.fact("RTO measured", format!("{rto} ({})", if e.rto_met { "target met" } else { "target not met" }));
    // A lost primary is counted from the last look that found it.
    let most = if opened.r#type() == RequestType::Failover { "at most " } else { "" };
    let outage = duration_from_pb(e.write_outage.as_ref())
        .map_or_else(|| "not measured".to_owned(), |outage| format!("{most}{}", humane(outage)));
    m.fact("Write outage", outage);
    m.set_loss(e.loss.as_ref());
    m.next_step =
        "Look at the checks after the run on the page, then close the ticket. The way back is a new request.".into();
    m
}

fn failed(mut m: Message, opened: &RequestOpened, e: &ExecutionFailed) -> Message {
    let what = movement(opened);
    let place = if e.step.is_empty() {
        "in the checks before the first step".to_owned()
    } else {
        format!("in step {}", e.step)
    };
    m.severity = Severity::Critical;
    m.set_subject(&format!("FAILED: {what}"));
    m.set_summary(&format!("The {what} failed {place}. It is not tried again by itself."));
    m.reasons.push(clip(&e.error, MAX_TEXT_BYTES));
    m.fact("Known state", known(&e.known_state));
    m.set_loss(e.loss.as_ref());
    m.next_step = guidance(&e.guidance);
    m
}

fn stopped(mut m: Message, opened: &RequestOpened, e: &ExecutionStopped) -> Message {
    let what = movement(opened);
    m.severity = Severity::Critical;
    m.set_subject(&format!("STOPPED: {what}"));
    let place = if e.before_step.is_empty() { String::new() } else { format!(" before or in step {}", e.before_step) };
    m.set_summary(&format!("The {what} was stopped{place}. It is not resumed by itself."));
    m.fact("Stopped by", person(e.actor.as_ref()));
    m.fact("Reason", &e.reason);
    m.fact("Known state", known(&e.known_state));
    m.set_loss(e.loss.as_ref());
    m.next_step = guidance(&e.guidance);
    m
}

/// What the plan's author wrote for this moment of the run.
fn notice(mut m: Message, opened: &RequestOpened, text: &str) -> Message {
    let what = movement(opened);
    m.set_subject(&format!("Notice: {what}"));
    m.set_summary(text);
    m.next_step = "It comes from a step of the plan. Follow the run on the page.".into();
    m
}

/// "switchover of orders-db (tier 1, production) to site-b"
pub(super) fn movement(opened: &RequestOpened) -> String {
    let verb = match opened.r#type() {
        RequestType::Unspecified => "move",
        kind => crate::request::type_name(kind),
    };
    let tier = super::message::tier_name(opened.tier());
    let environment = super::message::environment_name(opened.environment());
    let group = if opened.group.is_empty() { "" } else { "group " };
    format!("{verb} of {group}{} ({tier}, {environment}) to {}", scope_name(opened), opened.target_site)
}

/// "Olga asks for a switchover of orders-db (tier 1, production) to site-b, away from site-a."
pub(super) fn asks_for(opened: &RequestOpened) -> String {
    let what = movement(opened);
    let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{} asks for {article} {what}, away from {}.", person(opened.requester.as_ref()), opened.from_site)
}

pub(super) fn person(actor: Option<&Actor>) -> String {
    match actor {
        Some(actor) if !actor.name.is_empty() => actor.name.clone(),
        Some(actor) if !actor.id.is_empty() => actor.id.clone(),
        _ => "Muster".into(),
    }
}

fn known(state: &str) -> &str {
    if state.is_empty() { "not known" } else { state }
}

fn guidance(text: &str) -> String {
    if text.is_empty() {
        return "Open the page, see which step ran last, and check both sides by hand before anything else is started."
            .into();
    }
    clip(text, MAX_TEXT_BYTES)
}
