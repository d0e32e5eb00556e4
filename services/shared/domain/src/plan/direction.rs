//! A plan is written for one direction. The way back swaps every value that has two sides.

use std::mem::swap;

use crate::pb::plan::v1::{Action, Condition, PlanSpec, PlanStep, action, condition};
use crate::refusal::{Refusal, field_refusal};

/// Which way a run goes, against the way its plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From `from_site` to `to_site`.
    AsWritten,
    /// From `to_site` to `from_site`.
    Reversed,
}

/// The direction of a run whose systems shall be at `target_site` afterwards.
pub fn direction(spec: &PlanSpec, target_site: &str) -> Result<Direction, Refusal> {
    let differ = spec.from_site != spec.to_site;
    if differ && !target_site.is_empty() && target_site == spec.to_site {
        return Ok(Direction::AsWritten);
    }
    if differ && !target_site.is_empty() && target_site == spec.from_site {
        return Ok(Direction::Reversed);
    }
    Err(field_refusal(
        "target_site",
        "SITE_UNKNOWN",
        "the target is one of the plan's two sites",
        target_site.chars().take(80).collect::<String>(),
        format!("{} or {}", spec.from_site, spec.to_site),
        "name the site it shall run on afterwards, or correct the plan's sites",
    ))
}

/// The step with the values of its direction in front: `url`, `address` and `values` are the ones that hold, a DNS
/// record goes from `from_values` to `to_values`.
pub(super) fn filled_in(step: &PlanStep, direction: Direction) -> PlanStep {
    match direction {
        Direction::AsWritten => step.clone(),
        Direction::Reversed => reversed(step),
    }
}

/// The same step for the other way. Doing it twice gives the step back.
pub fn reversed(step: &PlanStep) -> PlanStep {
    let mut step = step.clone();
    for action in step.action.iter_mut().chain(step.undo.iter_mut()) {
        turn(action);
    }
    for condition in step.prechecks.iter_mut().chain(step.postchecks.iter_mut()) {
        turn_condition(condition);
    }
    step
}

/// What takes a step back, with the values of its direction filled in. Of a step that is filled in already
/// (`PlannedStep::definition`, `Step::definition`) ask with [`Direction::AsWritten`].
///
/// A DNS record without an undo of its own gets its old values back. `None` for a move, which its platform takes back,
/// and for what leaves nothing to take back or has no way.
pub fn undo_of(step: &PlanStep, direction: Direction) -> Option<Action> {
    let step = filled_in(step, direction);
    match (step.undo, step.action?.kind?) {
        (Some(undo), _) => undo.kind.is_some().then_some(undo),
        (None, action::Kind::Dns(mut dns)) => {
            swap(&mut dns.from_values, &mut dns.to_values);
            Some(Action { kind: Some(action::Kind::Dns(dns)) })
        }
        (None, _) => None,
    }
}

fn turn(action: &mut Action) {
    match &mut action.kind {
        Some(action::Kind::Http(http)) => swap_if_both(&mut http.url, &mut http.reverse_url),
        Some(action::Kind::Dns(dns)) => swap(&mut dns.from_values, &mut dns.to_values),
        Some(action::Kind::Wait(wait)) => wait.until.iter_mut().for_each(turn_condition),
        // They name no site: a move goes where the run goes, a person and a command are told the target.
        Some(action::Kind::Move(_) | action::Kind::Command(_) | action::Kind::Notify(_) | action::Kind::Manual(_))
        | None => {}
    }
}

fn turn_condition(condition: &mut Condition) {
    match &mut condition.kind {
        Some(condition::Kind::Http(http)) => swap_if_both(&mut http.url, &mut http.reverse_url),
        Some(condition::Kind::Tcp(tcp)) => swap_if_both(&mut tcp.address, &mut tcp.reverse_address),
        Some(condition::Kind::Dns(dns)) if !dns.values.is_empty() && !dns.reverse_values.is_empty() => {
            swap(&mut dns.values, &mut dns.reverse_values);
        }
        Some(condition::Kind::Dns(_) | condition::Kind::Resource(_) | condition::Kind::Sql(_)) | None => {}
    }
}

/// An empty value for the other way means the same value.
fn swap_if_both(here: &mut String, there: &mut String) {
    if !here.is_empty() && !there.is_empty() {
        swap(here, there);
    }
}
