//! What is due while nobody answers: the next step of the chain, or the same alert again.

use jiff::{SignedDuration, Timestamp};

use crate::pb::inventory::v1::EscalationStep;
use crate::pb::notification::v1::{AlertRenotified, EscalationEvent, EscalationStepped, escalation_event::Event};
use crate::time::{duration_from_pb, to_pb};

use super::{Escalation, event};

/// No rule repeats faster: a message that comes every few seconds is read by nobody.
pub const MIN_RENOTIFY: SignedDuration = SignedDuration::from_mins(1);
/// After so many repetitions it is told once a day: an alert that is ignored for a year stays a record that can be read.
const EAGER_REPETITIONS: u32 = 100;
const DAILY: SignedDuration = SignedDuration::from_hours(24);

/// The next event that is due at `now`; `None` when nothing is. Called again until it returns `None`.
///
/// After an outage every step that was missed is told, in order, and the repetition once.
pub fn due(state: &Escalation, now: Timestamp) -> Option<EscalationEvent> {
    if next_at(state, now)? > now {
        return None;
    }
    if is_step_next(state) { stepped(state, now) } else { renotified(state, now) }
}

/// Of what is due next: whether it is a step of the chain, and not the same alert again.
pub(super) fn is_step_next(state: &Escalation) -> bool {
    step_at(state).is_some_and(|step| repeat_at(state).is_none_or(|repeat| step <= repeat))
}

/// When something is due next; `None`: nothing will be, unless something happens.
pub fn next_at(state: &Escalation, now: Timestamp) -> Option<Timestamp> {
    if !state.is_unanswered() {
        return None;
    }
    let next = [step_at(state), repeat_at(state)].into_iter().flatten().min()?;
    // A silence only delays: what would have been told during it is told at its end.
    Some(state.silent_until(now).map_or(next, |until| next.max(until)))
}

/// The step that is told next.
pub(super) fn next_step(state: &Escalation) -> Option<&EscalationStep> {
    let index = usize::try_from(state.step).ok()?;
    state.started.as_ref()?.rule.as_ref()?.escalate.get(index)
}

fn step_at(state: &Escalation) -> Option<Timestamp> {
    let after = duration_from_pb(next_step(state)?.after.as_ref()).unwrap_or_default();
    state.opened_at()?.checked_add(after.max(SignedDuration::ZERO)).ok()
}

fn repeat_at(state: &Escalation) -> Option<Timestamp> {
    let rule = state.started.as_ref()?.rule.as_ref()?;
    let declared = duration_from_pb(rule.renotify_every.as_ref())?.max(MIN_RENOTIFY);
    let every = if state.repetitions < EAGER_REPETITIONS { declared } else { declared.max(DAILY) };
    let last = state.renotified_at.or_else(|| state.opened_at())?;
    last.checked_add(every).ok()
}

fn stepped(state: &Escalation, now: Timestamp) -> Option<EscalationEvent> {
    let routes = next_step(state)?.routes.clone();
    let (step, stepped_at) = (state.step + 1, Some(to_pb(now)));
    event(Event::Stepped(EscalationStepped { step, routes, stepped_at, ..EscalationStepped::default() }))
}

fn renotified(state: &Escalation, now: Timestamp) -> Option<EscalationEvent> {
    event(Event::Renotified(AlertRenotified { repetition: state.repetitions + 1, renotified_at: Some(to_pb(now)) }))
}
