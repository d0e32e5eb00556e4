//! Each step by itself: whether it can be taken back, is checked, and ends in time.

use jiff::SignedDuration;

use super::Judged;
use super::code::Code;
use super::findings::Findings;
use crate::pb::plan::v1::{FailurePolicy, LintSeverity, PlanStep, action::Kind};
use crate::time::{duration_from_pb, humane};

/// A step that may take longer is no step of a recovery: people would go home in the middle.
const LONGEST_TIMEOUT: SignedDuration = SignedDuration::from_hours(24);
/// Below this a slow network is a failure.
const SHORTEST_TIMEOUT: SignedDuration = SignedDuration::from_secs(1);

pub(super) fn judge(found: &mut Findings, judged: &Judged<'_>) {
    for step in judged.steps() {
        let Some(kind) = step.action.as_ref().and_then(|action| action.kind.as_ref()) else { continue };
        undo(found, step, kind, judged.is_tier_1());
        policy(found, step, kind);
        postcheck(found, step, kind);
        timeout(found, step, kind);
    }
}

/// Leaves something behind that only an undo of the plan can take away. A move is taken back by its platform, a DNS
/// record by its other value; waiting, telling people and reading a page leave nothing.
fn leaves_something(kind: &Kind) -> bool {
    match kind {
        Kind::Http(http) => !["GET", "HEAD"].iter().any(|method| method.eq_ignore_ascii_case(&http.method)),
        Kind::Command(_) | Kind::Manual(_) => true,
        Kind::Move(_) | Kind::Wait(_) | Kind::Dns(_) | Kind::Notify(_) => false,
    }
}

fn undo(found: &mut Findings, step: &PlanStep, kind: &Kind, tier_1: bool) {
    if let Some(undo) = &step.undo {
        let word = undo.kind.as_ref().map_or("nothing", super::kind_word);
        let takes_back = matches!(undo.kind, Some(Kind::Http(_) | Kind::Dns(_) | Kind::Command(_) | Kind::Manual(_)));
        if matches!(kind, Kind::Move(_)) || !takes_back {
            found.add(
                Code::UndoUnsuitable,
                &step.id,
                "an undo takes back what the step did; a move is taken back by its platform",
                &format!("{word} as the undo of {}", super::kind_word(kind)),
                "http, dns, command or manual, and none on a move",
                "give an undo of one of these kinds, or remove it",
            );
        }
        return;
    }
    if !leaves_something(kind) {
        return;
    }
    if step.on_failure() == FailurePolicy::Undo && !step.idempotent {
        found.add(
            Code::UndoImpossible,
            &step.id,
            "a step whose failure takes things back can be taken back itself, or be repeated",
            "`onFailure: undo`, not idempotent, no undo",
            "an undo, or `idempotent: true`, or another policy",
            "add an undo, or use `onFailure: stop`",
        );
        return;
    }
    if step.no_undo_because.trim().is_empty() {
        let severity = if tier_1 { LintSeverity::Error } else { Code::MissingUndo.severity() };
        found.add_as(
            severity,
            Code::MissingUndo,
            &step.id,
            "a step that changes something can be taken back, or the plan says why not",
            &format!("{} without undo", super::kind_word(kind)),
            "`undo` or `noUndoBecause`",
            "add what takes it back, or say in `noUndoBecause` why nothing does",
        );
    }
}

fn policy(found: &mut Findings, step: &PlanStep, kind: &Kind) {
    if matches!(kind, Kind::Move(_)) && step.on_failure() == FailurePolicy::Continue {
        found.add(
            Code::ContinueOnMove,
            &step.id,
            "nobody goes on past a system of which nobody knows where it runs",
            "`onFailure: continue` on a move",
            "stop or undo",
            "use `onFailure: stop`",
        );
    }
}

/// A DNS record is read back by the step itself, a person's yes is its own check, and a platform checks its moves.
fn postcheck(found: &mut Findings, step: &PlanStep, kind: &Kind) {
    let unseen = match kind {
        Kind::Http(_) => leaves_something(kind),
        Kind::Command(_) => true,
        _ => false,
    };
    if unseen && step.postchecks.is_empty() {
        found.add(
            Code::NoPostcheck,
            &step.id,
            "that a call was accepted does not say that it worked",
            &format!("{} without postcheck", super::kind_word(kind)),
            "at least one postcheck",
            "add a condition that holds only when it worked",
        );
    }
}

fn timeout(found: &mut Findings, step: &PlanStep, kind: &Kind) {
    match duration_from_pb(step.timeout.as_ref()) {
        // Each step of a platform has its own, and a message is handed over and not waited for.
        None if matches!(kind, Kind::Move(_) | Kind::Notify(_)) => {}
        None => found.add(
            Code::TimeoutMissing,
            &step.id,
            "each step ends, with or without success",
            "no timeout",
            &format!("{} to {}", humane(SHORTEST_TIMEOUT), humane(LONGEST_TIMEOUT)),
            "say how long it may take at most",
        ),
        Some(timeout) if !(SHORTEST_TIMEOUT..=LONGEST_TIMEOUT).contains(&timeout) => found.add(
            Code::TimeoutAbsurd,
            &step.id,
            "a timeout is long enough to work and short enough to matter",
            &humane(timeout),
            &format!("{} to {}", humane(SHORTEST_TIMEOUT), humane(LONGEST_TIMEOUT)),
            "correct the timeout",
        ),
        Some(_) => {}
    }
}
