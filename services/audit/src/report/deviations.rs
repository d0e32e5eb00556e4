//! What was not as the plan, or the ordinary way, had it. Nothing here is a judgement: it is what a reviewer looks at first.

use muster_domain::pb::{
    audit::v1::AuditRecord,
    execution::v1::{CheckOutcome, ExecutionView, StepState, StepView},
    request::v1::RequestView,
};

use super::{make::name, objectives};

pub(super) fn of(view: &RequestView, run: &ExecutionView, records: &[AuditRecord]) -> Vec<String> {
    let mut all = around(view, records);
    all.extend(of_checks(run));
    all.extend(of_steps(run));
    all.extend(of_people(run, records));
    let missed = objectives::of(run).into_iter().filter(|one| one.verdict == "missed");
    all.extend(missed.map(|one| format!("{} of {} was missed.", one.objective, one.of)));
    all
}

/// On the way to the start.
fn around(view: &RequestView, records: &[AuditRecord]) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(confirmed) = &view.confirmed {
        if confirmed.break_glass {
            all.push(format!("Started by break-glass; missing: {}.", or_nothing(&confirmed.missing.join(", "))));
        }
        if !confirmed.freeze.is_empty() {
            all.push(format!("Started in a change freeze: {}.", confirmed.freeze));
        }
    }
    for approval in view.approvals.iter().filter(|approval| approval.on_behalf_of.is_some()) {
        let (who, away) = (name(approval.approver.as_ref()), name(approval.on_behalf_of.as_ref()));
        all.push(format!("{who} approved on behalf of {away}."));
    }
    for overridden in &view.overrides {
        let who = name(overridden.actor.as_ref());
        all.push(format!("{who} took the responsibility for the check {}: {}", overridden.check, overridden.reason));
    }
    if !view.escalations.is_empty() {
        all.push(format!("Approvers were asked again {} times.", view.escalations.len()));
    }
    let denied = records.iter().filter(|record| record.r#type == "access.denied").count();
    match denied {
        0 => {}
        1 => all.push("One attempt on this request was refused.".to_owned()),
        denied => all.push(format!("{denied} attempts on this request were refused.")),
    }
    all
}

fn of_checks(run: &ExecutionView) -> impl Iterator<Item = String> {
    let checks = [("before", &run.prechecks), ("after", &run.postchecks)];
    let odd = checks.into_iter().flat_map(|(phase, checks)| checks.iter().map(move |check| (phase, check)));
    odd.filter_map(|(phase, check)| {
        let found = match check.outcome() {
            CheckOutcome::Passed => return None,
            CheckOutcome::Failed => "failed",
            CheckOutcome::Warning => "warned",
            CheckOutcome::Unknown | CheckOutcome::Unspecified => "could not be answered",
        };
        let of = if check.resource.is_empty() { String::new() } else { format!(" of {}", check.resource) };
        Some(format!("The check {}{of} {phase} the run {found}: {}", check.name, check.text))
    })
}

fn of_steps(run: &ExecutionView) -> Vec<String> {
    let id = |step: &StepView| step.step.as_ref().map(|step| step.id.clone()).unwrap_or_default();
    let mut all = Vec::new();
    for step in run.steps.iter().chain(&run.undo_steps) {
        if step.attempts > 1 {
            all.push(format!("The step {} took {} attempts.", id(step), step.attempts));
        }
        match step.state() {
            StepState::Failed => all.push(format!("The step {} failed: {}", id(step), step.note)),
            StepState::Tolerated => {
                all.push(format!("The step {} failed, and the run went on: {}", id(step), step.note))
            }
            StepState::Running => all.push(format!("What became of the step {} is not known.", id(step))),
            StepState::Unspecified
            | StepState::Pending
            | StepState::Succeeded
            | StepState::Undone
            | StepState::Waiting => {}
        }
    }
    if let Some(undo) = &run.undo {
        all.push(format!("The run was taken back after {}: {}", undo.because_of_step, undo.reason));
    }
    all.extend(run.markers_unavailable.iter().map(|node| format!("A marker could not be read: {node}")));
    all
}

fn of_people(run: &ExecutionView, records: &[AuditRecord]) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(stop) = &run.stop_requested {
        all.push(format!("{} asked to stop: {}", name(stop.actor.as_ref()), stop.reason));
    }
    let counted = [
        ("execution.pause_requested", "It was paused"),
        ("execution.executor_took_over", "Another executor took it over"),
    ];
    for (kind, text) in counted {
        let count = records.iter().filter(|record| record.r#type == kind).count();
        match count {
            0 => {}
            1 => all.push(format!("{text} once.")),
            count => all.push(format!("{text} {count} times.")),
        }
    }
    all
}

fn or_nothing(text: &str) -> &str {
    if text.is_empty() { "nothing" } else { text }
}
