//! The ways a request ends without an execution, besides a denial.

use jiff::Timestamp;

use super::{MAX_TEXT, Request, must_be_open, required_text};
use crate::pb::common::v1::{Actor, Role};
use crate::pb::request::v1::{RequestEvent, RequestExpired, RequestWithdrawn, request_event::Event};
use crate::refusal::{Refusal, refusal};
use crate::time::{humane, to_pb};

/// Taken back by the requester or an admin.
pub fn withdraw(
    request: &Request,
    actor: &Actor,
    reason: &str,
    now: Timestamp,
) -> Result<Option<RequestEvent>, Refusal> {
    must_be_open(request, now)?;
    let requester = request.view.opened.as_ref().and_then(|opened| opened.requester.as_ref());
    let own = requester.is_some_and(|requester| requester.id == actor.id);
    if !own && !super::holds(actor, Role::Admin) {
        return Err(refusal(
            "NOT_THE_REQUESTER",
            "a request is withdrawn by its requester or an admin",
            actor.name.clone(),
            requester.map(|requester| requester.name.clone()).unwrap_or_default(),
            "ask the requester, or an approver to deny it",
        ));
    }
    required_text("reason", reason, MAX_TEXT, "kept with the request, so it is needed")?;
    Ok(Some(RequestEvent {
        event: Some(Event::Withdrawn(RequestWithdrawn {
            actor: Some(actor.clone()),
            reason: reason.trim().to_owned(),
            withdrawn_at: Some(to_pb(now)),
        })),
    }))
}

/// The timer's answer: lapses a request whose time is over, and leaves every other alone. One with a broken glass has
/// an end of its own, which says so.
pub fn expire(request: &Request, now: Timestamp) -> Option<RequestEvent> {
    if request.view.opened.as_ref().is_some_and(|opened| opened.break_glass.is_some()) {
        return super::lapse(request, now);
    }
    let end = request.expires_at().filter(|end| request.is_open() && now >= *end)?;
    Some(RequestEvent {
        event: Some(Event::Expired(RequestExpired {
            expired_at: Some(to_pb(now)),
            note: format!("recorded {} after its time was over", humane(now.duration_since(end))),
        })),
    })
}
