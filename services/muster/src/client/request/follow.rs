//! Follows a request until it is over: each new fact is one line, so it reads the same in a terminal and in a log.

use std::{collections::BTreeMap, time::Duration};

use muster_domain::pb::execution::v1::{
    CheckOutcome, ExecutionState, ExecutionView, Step, StepState, WatchExecutionRequest,
};
use muster_domain::pb::request::v1::{RequestState, RequestView};
use muster_domain::request::state_name;
use tonic::Code;

use super::{find, run};
use crate::client::{
    error::CliError,
    exit::Exit,
    output::{
        Screen,
        table::{Cell, clean},
        words,
    },
    session::Session,
};

/// How often a request is looked at before its execution begins, and after a lost connection.
const LOOK: Duration = Duration::from_secs(1);

/// Ends with success only when the move succeeded.
pub(super) async fn follow(id: &str, session: &Session, screen: &Screen) -> Result<Exit, CliError> {
    let mut told = Told::default();
    loop {
        let view = match find::get(id, session).await {
            Ok(view) => view,
            Err(CliError::Unavailable(refusal)) => {
                told.note(&format!("Muster does not answer ({}); trying again", refusal.value), screen)?;
                tokio::time::sleep(LOOK).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        told.request(&view, screen)?;
        match view.state() {
            RequestState::Confirmed | RequestState::Executing => execution(id, session, &mut told, screen).await?,
            RequestState::PendingApproval | RequestState::Approved | RequestState::Unspecified => {}
            _ => return finish(&view, screen),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Failed),
        }
    }
}

/// Until the stream ends; why it ended is found out by looking at the request again.
async fn execution(id: &str, session: &Session, told: &mut Told, screen: &Screen) -> Result<(), CliError> {
    let ask = WatchExecutionRequest { tenant: session.tenant(), request_id: id.to_owned() };
    let mut stream = match session.executor().watch_execution(session.follow(ask)).await {
        Ok(stream) => stream.into_inner(),
        // Confirmed, and not begun yet; or a moment without Muster.
        Err(status) if matches!(status.code(), Code::NotFound | Code::Unavailable | Code::DeadlineExceeded) => {
            return Ok(());
        }
        Err(status) => return Err(status.into()),
    };
    loop {
        tokio::select! {
            message = stream.message() => match message {
                Ok(Some(message)) => {
                    let view = message.execution.unwrap_or_default();
                    if !screen.is_table() {
                        screen.json_line(&view)?;
                    }
                    told.execution(&view, screen)?;
                    if view.state() != ExecutionState::Running && view.state() != ExecutionState::Unspecified {
                        return Ok(());
                    }
                }
                Ok(None) => return Ok(()),
                Err(status) => return told.note(&format!("the connection was lost ({}); looking again", status.message()), screen),
            },
            _ = tokio::signal::ctrl_c() => {
                told.note("not followed any more; the execution goes on without this terminal", screen)?;
                return Err(CliError::Failed("interrupted".to_owned()));
            }
        }
    }
}

fn finish(view: &RequestView, screen: &Screen) -> Result<Exit, CliError> {
    if screen.is_table() {
        match &view.execution {
            Some(execution) => run::result(execution, screen)?,
            None => screen.line(&format!("request {}: {}", view.request_id, state_name(view.state())))?,
        }
    } else {
        screen.json_line(view)?;
    }
    Ok(if view.state() == RequestState::Succeeded { Exit::Done } else { Exit::Failed })
}

/// What was said already, so that each fact is said once.
#[derive(Default)]
struct Told {
    state: Option<RequestState>,
    approvals: usize,
    checks: usize,
    steps: BTreeMap<String, (StepState, u32)>,
    stop: bool,
    paused: bool,
    notes: usize,
    noted: String,
}

/// "phase databases, orders-db: ": where in the graph a step is. A single resource's own steps need no place.
fn place_of(step: &Step) -> String {
    let phase = if step.phase.is_empty() { String::new() } else { format!("phase {}, ", step.phase) };
    match (phase.is_empty(), step.resource.as_str()) {
        (true, _) => String::new(),
        (false, "") => format!("{}: ", phase.trim_end_matches(", ")),
        (false, resource) => format!("{phase}{resource}: "),
    }
}

impl Told {
    fn line(&self, what: impl Into<Cell>, text: &str, screen: &Screen) -> Result<(), CliError> {
        if !screen.is_table() {
            return Ok(());
        }
        let what: Cell = what.into();
        screen.line(&format!("{}  {}", what.painted(screen), clean(text)))
    }

    fn note(&mut self, text: &str, screen: &Screen) -> Result<(), CliError> {
        if self.noted == text {
            return Ok(());
        }
        text.clone_into(&mut self.noted);
        screen.note(text)
    }

    fn request(&mut self, view: &RequestView, screen: &Screen) -> Result<(), CliError> {
        for approval in view.approvals.iter().skip(self.approvals) {
            self.line(
                "approved",
                &format!(
                    "by {} at {}",
                    words::actor(approval.approver.as_ref()),
                    words::time(approval.approved_at.as_ref())
                ),
                screen,
            )?;
        }
        self.approvals = view.approvals.len();
        if self.state.replace(view.state()) != Some(view.state()) {
            let missing = if view.missing.is_empty() {
                String::new()
            } else {
                format!(" (missing: {})", view.missing.join(", "))
            };
            self.line("request ", &format!("{}{missing}", state_name(view.state())), screen)?;
        }
        match &view.execution {
            Some(execution) if screen.is_table() => self.execution(execution, screen),
            _ => Ok(()),
        }
    }

    fn execution(&mut self, view: &ExecutionView, screen: &Screen) -> Result<(), CliError> {
        let all: Vec<_> =
            view.prechecks.iter().map(|c| ("before", c)).chain(view.postchecks.iter().map(|c| ("after", c))).collect();
        for (when, check) in all.iter().skip(self.checks) {
            if check.outcome() != CheckOutcome::Passed || screen.is_table() {
                self.line(
                    words::check_outcome(check.outcome()),
                    &format!("check {when}: {} {}", check.name, check.text),
                    screen,
                )?;
            }
        }
        self.checks = all.len();
        for step in view.steps.iter().chain(&view.undo_steps) {
            let plan = step.step.clone().unwrap_or_default();
            let place = place_of(&plan);
            let now = (step.state(), step.attempts);
            let known = self.steps.insert(plan.id, now);
            if known != Some(now) && step.state() != StepState::Pending {
                let took =
                    if step.state() == StepState::Running { String::new() } else { format!(" in {}", run::took(step)) };
                let note = if step.note.is_empty() { String::new() } else { format!(": {}", step.note) };
                self.line(words::step_state(step.state()), &format!("{place}{}{took}{note}", plan.title), screen)?;
            }
        }
        if self.paused != view.paused.is_some() {
            self.paused = view.paused.is_some();
            let text = match &view.paused {
                Some(pause) => format!("by {}: {}", words::actor(pause.actor.as_ref()), pause.reason),
                None => "resumed".to_owned(),
            };
            self.line("pause   ", &text, screen)?;
        }
        for note in view.notes.iter().skip(self.notes) {
            self.line("note    ", &format!("{}: {}", words::actor(note.actor.as_ref()), note.text), screen)?;
        }
        self.notes = view.notes.len();
        if let (false, Some(stop)) = (self.stop, &view.stop_requested) {
            self.stop = true;
            self.line(
                "stop    ",
                &format!("asked for by {}: {}", words::actor(stop.actor.as_ref()), stop.reason),
                screen,
            )?;
        }
        Ok(())
    }
}
