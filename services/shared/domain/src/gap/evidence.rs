//! What shows that a gap is mended.

use super::Gap;
use crate::pb::common::v1::{Actor, ActorKind};
use crate::pb::execution::v1::{ExecutionStarted, ExecutionState, ExecutionView};
use crate::refusal::{Refusal, field_refusal};
use crate::time::from_pb;

use super::finding::{DRILL_FAILED, OBJECTIVE_MISSED, RUN_FAILED};

/// The runs that matter to a closing, as the log has them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Evidence<'a> {
    /// The request that is named as evidence; may be empty.
    pub request_id: &'a str,
    /// Its run. `None`: there is none.
    pub run: Option<&'a ExecutionView>,
    /// The run that showed the gap, if one did.
    pub shown_by: Option<&'a ExecutionView>,
}

/// The evidence in words; empty when none was needed or given.
pub(super) fn must_be_shown(gap: &Gap, evidence: &Evidence<'_>) -> Result<String, Refusal> {
    let source = gap.opened.as_ref().map(|opened| opened.source.as_str()).unwrap_or_default();
    let from_a_run = [DRILL_FAILED, RUN_FAILED, OBJECTIVE_MISSED].contains(&source);
    if evidence.request_id.is_empty() {
        if !from_a_run {
            return Ok(String::new());
        }
        return Err(wanting("", &wanted(evidence.shown_by)));
    }
    let Some(run) = evidence.run else {
        return Err(wanting(&format!("{} has no run", shortened(evidence.request_id)), &wanted(evidence.shown_by)));
    };
    let (Some(started), ExecutionState::Succeeded) = (&run.started, run.state()) else {
        let state = format!("{} that {}", kind_and_scope(run.started.as_ref()), state_words(run.state()));
        return Err(wanting(&state, &wanted(evidence.shown_by)));
    };
    if from_a_run && let Some(shown) = evidence.shown_by {
        same_kind_and_later(started, run, shown)?;
    }
    not_refuted_since(gap, started)?;
    if source == OBJECTIVE_MISSED && !super::finding::missed(run).is_empty() {
        return Err(wanting("a run that missed an objective too", "a run that met its objectives"));
    }
    let finished = run.succeeded.as_ref().and_then(|end| from_pb(end.finished_at.as_ref()));
    let at = finished.map(|at| format!("{at:.0}")).unwrap_or_else(|| "at a time that is not known".to_owned());
    Ok(format!("{}, succeeded {at}", kind_and_scope(Some(started))))
}

fn same_kind_and_later(started: &ExecutionStarted, run: &ExecutionView, shown: &ExecutionView) -> Result<(), Refusal> {
    let before = shown.started.as_ref();
    let of = |started: &ExecutionStarted| (started.r#type.clone(), scope(started).to_owned());
    if before.is_some_and(|before| of(before) != of(started)) {
        return Err(wanting(&kind_and_scope(Some(started)), &wanted(Some(shown))));
    }
    let began = from_pb(started.started_at.as_ref());
    let ended = ended_at(shown);
    // A time that is not known shows nothing.
    if run.request_id == shown.request_id || began.is_none() || ended.is_none() || began <= ended {
        let at = began.map_or_else(|| "an unknown time".to_owned(), |at| format!("one begun {at:.0}"));
        let limit =
            ended.map_or_else(|| wanted(Some(shown)), |at| format!("{}, begun after {at:.0}", wanted(Some(shown))));
        return Err(wanting(&at, &limit));
    }
    Ok(())
}

/// A person has opened the gap again after that run: it shows nothing any more.
fn not_refuted_since(gap: &Gap, started: &ExecutionStarted) -> Result<(), Refusal> {
    let by_person = |who: &Actor| who.kind() == ActorKind::Person;
    let reopened = gap.reopened.as_ref().filter(|reopened| reopened.actor.as_ref().is_some_and(by_person));
    let Some(at) = reopened.and_then(|reopened| from_pb(reopened.reopened_at.as_ref())) else { return Ok(()) };
    match from_pb(started.started_at.as_ref()) {
        Some(began) if began > at => Ok(()),
        began => {
            let value = began.map_or_else(|| "an unknown time".to_owned(), |began| format!("one begun {began:.0}"));
            Err(wanting(&value, &format!("a run begun after the gap was opened again, {at:.0}")))
        }
    }
}

fn ended_at(run: &ExecutionView) -> Option<jiff::Timestamp> {
    let ends = [
        run.succeeded.as_ref().and_then(|end| end.finished_at),
        run.failed.as_ref().and_then(|end| end.finished_at),
        run.stopped.as_ref().and_then(|end| end.finished_at),
    ];
    ends.into_iter().flatten().find_map(|at| from_pb(Some(&at)))
}

fn wanted(shown_by: Option<&ExecutionView>) -> String {
    match shown_by.and_then(|run| run.started.as_ref()) {
        Some(started) => format!("a succeeded {}, begun later", kind_and_scope(Some(started))),
        None => "a succeeded run of the same kind on the same system, begun later".to_owned(),
    }
}

fn kind_and_scope(started: Option<&ExecutionStarted>) -> String {
    started.map_or_else(|| "a run".to_owned(), |started| format!("{} of {}", started.r#type, scope(started)))
}

pub(super) fn scope(started: &ExecutionStarted) -> &str {
    if started.group.is_empty() { &started.resource } else { &started.group }
}

fn state_words(state: ExecutionState) -> &'static str {
    match state {
        ExecutionState::Unspecified => "did not begin",
        ExecutionState::Running => "still runs",
        ExecutionState::Succeeded => "succeeded",
        ExecutionState::Failed => "failed",
        ExecutionState::Stopped => "was stopped",
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

fn wanting(value: &str, limit: &str) -> Refusal {
    field_refusal(
        "evidence_request_id",
        "GAP_EVIDENCE",
        "what a run showed is closed by a later run that shows the contrary",
        if value.is_empty() { "none" } else { value },
        limit,
        "run it again and name that request, or have the risk accepted",
    )
}
