//! Asking again, and others, when nobody decides.

use jiff::Timestamp;

use super::Request;
use crate::pb::request::v1::{RequestEscalated, RequestEvent, RequestOpened, RequestState, request_event::Event};
use crate::time::{duration_from_pb, from_pb, to_pb};

/// When each stage is due, the first being stage 1.
pub fn escalations_due(opened: &RequestOpened) -> Vec<(u32, Timestamp)> {
    let Some(opened_at) = from_pb(opened.opened_at.as_ref()) else { return Vec::new() };
    let due = |after| opened_at.checked_add(duration_from_pb(after)?).ok();
    let stages = (1..).zip(&opened.escalations);
    stages.filter_map(|(stage, escalation)| Some((stage, due(escalation.after.as_ref())?))).collect()
}

/// The timer's answer: asks again while approvals are missing. Each stage once.
pub fn escalate(request: &Request, stage: u32, now: Timestamp) -> Option<RequestEvent> {
    let view = &request.view;
    let opened = view.opened.as_ref()?;
    let due = escalations_due(opened).into_iter().find(|(number, _)| *number == stage)?.1;
    let told = view.escalations.iter().any(|earlier| earlier.stage == stage);
    let over = request.expires_at().is_none_or(|end| now >= end);
    if told || over || now < due || view.state() != RequestState::PendingApproval || view.missing.is_empty() {
        return None;
    }
    let routes = opened.escalations.get(stage as usize - 1).map(|escalation| escalation.routes.clone());
    Some(RequestEvent {
        event: Some(Event::Escalated(RequestEscalated {
            stage,
            missing: view.missing.clone(),
            routes: routes.unwrap_or_default(),
            escalated_at: Some(to_pb(now)),
        })),
    })
}
