//! The run of a request in readable form: its members, checks, steps and what was taken back, what people said, how it ended.

use std::collections::BTreeSet;

use muster_domain::pb::common::v1::{LossStatement, Marker};
use muster_domain::pb::execution::v1::{Check, DrillCopy, ExecutionState, ExecutionView, MemberOutcome, StepView};
use muster_domain::pb::request::v1::RequestType;
use muster_domain::request::type_name;
use muster_domain::time::{duration_to_pb, from_pb};

use crate::client::{
    error::CliError,
    output::{
        Screen,
        style::Tone,
        table::{Cell, Table},
        words,
    },
};

pub(super) fn print(execution: &ExecutionView, screen: &Screen) -> Result<(), CliError> {
    screen.line("")?;
    screen.heading("execution")?;
    if let Some(started) = &execution.started {
        screen.field("started", format!("{} by {}", words::time(started.started_at.as_ref()), started.executor))?;
        if started.members.is_empty() {
            let (from, target) = (&started.from_node, &started.target_node);
            let nodes = format!("{from} ({}) -> {target} ({})", started.from_site, started.target_site);
            screen.field("nodes", nodes)?;
        }
        for member in &started.members {
            let there = if member.there_already { ", there already, not moved" } else { "" };
            let nodes = format!(
                "{} ({}): {} -> {}{there}",
                member.resource, member.platform, member.from_node, member.target_node
            );
            screen.field("member", nodes)?;
        }
    }
    people(execution, screen)?;
    if let Some(stop) = &execution.stop_requested {
        screen.field(
            "stop asked",
            format!(
                "by {} at {}: {}",
                words::actor(stop.actor.as_ref()),
                words::time(stop.requested_at.as_ref()),
                stop.reason
            ),
        )?;
    }
    checks("checks before", &execution.prechecks, screen)?;
    markers("positions before", &execution.markers_before, screen)?;
    steps("steps", &execution.steps, screen)?;
    undo(execution, screen)?;
    checks("checks after", &execution.postchecks, screen)?;
    markers("positions after", &execution.markers_after, screen)?;
    // Before and after may have failed for the same reason: said once.
    for unavailable in execution.markers_unavailable.iter().collect::<BTreeSet<_>>() {
        screen.field("no position", Cell::toned(Tone::Warning, unavailable.as_str()))?;
    }
    result(execution, screen)
}

/// What people said to it while it ran.
fn people(execution: &ExecutionView, screen: &Screen) -> Result<(), CliError> {
    if let Some(pause) = &execution.paused {
        let (who, at) = (words::actor(pause.actor.as_ref()), words::time(pause.requested_at.as_ref()));
        screen.field("PAUSED", Cell::toned(Tone::Warning, format!("by {who} at {at}: {}", pause.reason)))?;
    }
    for note in &execution.notes {
        let step = if note.step.is_empty() { String::new() } else { format!(" ({})", note.step) };
        let (who, at) = (words::actor(note.actor.as_ref()), words::time(note.noted_at.as_ref()));
        screen.field("note", format!("by {who} at {at}{step}: {}", note.text))?;
    }
    for decided in &execution.manual_decisions {
        let (tone, verdict) = if decided.done { (Tone::Good, "done") } else { (Tone::Bad, "NOT done") };
        let (who, at) = (words::actor(decided.actor.as_ref()), words::time(decided.decided_at.as_ref()));
        let text = format!("{} {verdict}, by {who} at {at}: {}", decided.step, words::or_dash(&decided.note));
        screen.field("by hand", Cell::toned(tone, text))?;
    }
    Ok(())
}

/// What was taken back, and why.
fn undo(execution: &ExecutionView, screen: &Screen) -> Result<(), CliError> {
    let Some(undo) = &execution.undo else { return Ok(()) };
    screen.line("")?;
    let text = format!(
        "since {}, because of step {}: {}",
        words::time(undo.begun_at.as_ref()),
        words::or_dash(&undo.because_of_step),
        undo.reason
    );
    screen.field("taking back", Cell::toned(Tone::Warning, text))?;
    steps("taken back", &execution.undo_steps, screen)
}

/// Where each resource is now.
fn members(outcomes: &[MemberOutcome], screen: &Screen) -> Result<(), CliError> {
    for member in outcomes {
        let moved = if member.moved { "moved" } else { "not moved" };
        let site = if member.site.is_empty() { words::UNKNOWN } else { &member.site };
        let (tone, protected) =
            if member.protected { (Tone::Good, "protected") } else { (Tone::Warning, "NOT protected") };
        let text = format!(
            "{}: {moved}, runs at {site}, {protected}, RTO {}",
            member.resource,
            words::duration(member.rto_measured.as_ref())
        );
        screen.field("member", Cell::toned(tone, text))?;
        for line in words::loss(member.loss.as_ref()) {
            screen.field("", line)?;
        }
    }
    Ok(())
}

fn checks(title: &str, checks: &[Check], screen: &Screen) -> Result<(), CliError> {
    if checks.is_empty() {
        return Ok(());
    }
    screen.line("")?;
    let mut table = Table::new(&[title, "OUTCOME", "FOUND", "NEEDED", "ABOUT"]);
    for check in checks {
        let advisory = if check.advisory { " (advisory)" } else { "" };
        table.row([
            format!("  {}", check.name).into(),
            words::check_outcome(check.outcome()),
            check.value.as_str().into(),
            check.limit.as_str().into(),
            format!("{}{advisory}", check.text).into(),
        ]);
    }
    screen.lines(&table.render(screen))
}

fn markers(title: &str, markers: &[Marker], screen: &Screen) -> Result<(), CliError> {
    if markers.is_empty() {
        return Ok(());
    }
    screen.line("")?;
    screen.heading(title)?;
    markers.iter().try_for_each(|marker| screen.field(&words::or_dash(&marker.role), words::marker(marker)))
}

fn steps(title: &str, steps: &[StepView], screen: &Screen) -> Result<(), CliError> {
    if steps.is_empty() {
        return Ok(());
    }
    screen.line("")?;
    let mut table = Table::new(&[title, "STATE", "TRIES", "STARTED", "TOOK", "NOTE"]);
    for step in steps {
        let plan = step.step.clone().unwrap_or_default();
        table.row([
            format!("  {}", plan.title).into(),
            words::step_state(step.state()),
            step.attempts.to_string().into(),
            words::time(step.started_at.as_ref()).into(),
            took(step).into(),
            step.note.as_str().into(),
        ]);
    }
    screen.lines(&table.render(screen))
}

pub(super) fn took(step: &StepView) -> String {
    match (from_pb(step.started_at.as_ref()), from_pb(step.finished_at.as_ref())) {
        (Some(from), Some(to)) => words::duration(Some(&duration_to_pb(to.duration_since(from)))),
        _ => "-".to_owned(),
    }
}

/// A lost primary is counted from the last look that found it.
fn outage(execution: &ExecutionView) -> String {
    let lost = execution.started.as_ref().is_some_and(|started| started.r#type == type_name(RequestType::Failover));
    let known = execution.succeeded.as_ref().and_then(|end| end.write_outage.as_ref());
    let most = if lost && known.is_some() { "at most " } else { "" };
    format!("{most}{}", words::duration(known))
}

/// How it ended, what it took against the target, and what can be said about missing data.
pub(super) fn result(execution: &ExecutionView, screen: &Screen) -> Result<(), CliError> {
    if execution.state() == ExecutionState::Running {
        return Ok(());
    }
    screen.line("")?;
    screen.heading("result")?;
    let target = execution.started.as_ref().and_then(|started| started.rto_target);
    if let Some(end) = &execution.succeeded {
        screen.field("succeeded", Cell::toned(Tone::Good, words::time(end.finished_at.as_ref())))?;
        let (tone, met) = if end.rto_met { (Tone::Good, "met") } else { (Tone::Bad, "MISSED") };
        let rto = format!(
            "measured {}, target {}: {met}",
            words::duration(end.rto_measured.as_ref()),
            words::duration(target.as_ref())
        );
        screen.field("RTO", Cell::toned(tone, rto))?;
        if execution.started.as_ref().is_some_and(|started| started.drill) {
            screen.field("production", "the drill changed nothing that serves")?;
            copies(&execution.copies, screen)?;
        } else {
            screen.field("write outage", outage(execution))?;
            loss(end.loss.as_ref(), screen)?;
            members(&end.members, screen)?;
        }
        for step in &end.tolerated {
            screen
                .field("tolerated", Cell::toned(Tone::Warning, format!("step {step} failed, and the run went on")))?;
        }
    }
    if let Some(end) = &execution.failed {
        let place =
            if end.step.is_empty() { "in the checks before".to_owned() } else { format!("in step {}", end.step) };
        screen.field(
            "FAILED",
            Cell::toned(Tone::Bad, format!("{} {place}: {}", words::time(end.finished_at.as_ref()), end.error)),
        )?;
        screen.field("known state", words::or_dash(&end.known_state))?;
        screen.field("what to do", words::or_dash(&end.guidance))?;
        loss(end.loss.as_ref(), screen)?;
        members(&end.members, screen)?;
    }
    if let Some(end) = &execution.stopped {
        screen.field(
            "STOPPED",
            Cell::toned(
                Tone::Bad,
                format!(
                    "{} before step {}: {}",
                    words::time(end.finished_at.as_ref()),
                    words::or_dash(&end.before_step),
                    end.reason
                ),
            ),
        )?;
        screen.field("known state", words::or_dash(&end.known_state))?;
        screen.field("what to do", words::or_dash(&end.guidance))?;
        loss(end.loss.as_ref(), screen)?;
        members(&end.members, screen)?;
    }
    Ok(())
}

/// What a restore from each copy would have meant.
fn copies(copies: &[DrillCopy], screen: &Screen) -> Result<(), CliError> {
    for copy in copies {
        let newest = words::time(copy.newest_data_at.as_ref());
        let window = words::duration(copy.loss_window.as_ref());
        let took = words::duration(copy.restore_time.as_ref());
        let text =
            format!("{}: {}, newest data {newest}, loss window {window}, usable in {took}", copy.resource, copy.source);
        screen.field("copy", text)?;
    }
    Ok(())
}

fn loss(statement: Option<&LossStatement>, screen: &Screen) -> Result<(), CliError> {
    for (index, line) in words::loss(statement).into_iter().enumerate() {
        screen.field(if index == 0 { "data loss" } else { "" }, line)?;
    }
    Ok(())
}
