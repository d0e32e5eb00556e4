//! `muster request pause|resume|confirm-step|note`: words to a run that is under way.

use clap::Args;
use muster_domain::execution::id_of;
use muster_domain::pb::execution::v1::{
    DecideManualStepRequest, ExecutionView, NoteExecutionRequest, PauseExecutionRequest, ResumeExecutionRequest,
    StepState,
};

use crate::client::{
    error::CliError,
    output::Screen,
    request::{IdArgs, find::find},
    session::Session,
};

#[derive(Debug, Args)]
pub(crate) struct PauseArgs {
    #[command(flatten)]
    request: IdArgs,
    /// Why, for the record.
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    request: IdArgs,
    /// A remark for the record.
    #[arg(long, default_value = "", hide_default_value = true)]
    note: String,
}

#[derive(Debug, Args)]
pub(crate) struct ConfirmStepArgs {
    #[command(flatten)]
    request: IdArgs,
    /// The step that waits. Left out: the only one that does.
    #[arg(long, default_value = "", hide_default_value = true)]
    step: String,
    /// What was done or seen.
    #[arg(long)]
    note: String,
    /// It cannot be done: the step has failed.
    #[arg(long)]
    not_done: bool,
}

#[derive(Debug, Args)]
pub(crate) struct NoteArgs {
    #[command(flatten)]
    request: IdArgs,
    /// The note.
    text: String,
    /// The step that it is about.
    #[arg(long, default_value = "", hide_default_value = true)]
    step: String,
}

pub(crate) async fn pause(args: PauseArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let request_id = find(&args.request.id, session).await?.request_id;
    let idempotency_key = session.idempotency_key();
    let ask = PauseExecutionRequest { tenant: session.tenant(), request_id, reason: args.reason, idempotency_key };
    let answer = session.executor().pause_execution(session.ask(ask)).await?.into_inner();
    let running = answer.execution.as_ref().map_or(0, under_way);
    let text = format!("paused: nothing more begins; {running} steps are under way and come to their end");
    if screen.is_table() { screen.line(&text) } else { screen.value(&answer) }
}

pub(crate) async fn resume(args: ResumeArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let request_id = find(&args.request.id, session).await?.request_id;
    let idempotency_key = session.idempotency_key();
    let ask = ResumeExecutionRequest { tenant: session.tenant(), request_id, note: args.note, idempotency_key };
    let answer = session.executor().resume_execution(session.ask(ask)).await?.into_inner();
    if screen.is_table() { screen.line("resumed: the run goes on") } else { screen.value(&answer) }
}

pub(crate) async fn confirm_step(args: ConfirmStepArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let view = find(&args.request.id, session).await?;
    let step = match args.step.as_str() {
        "" => the_one_that_waits(view.execution.as_ref())?,
        named => named.to_owned(),
    };
    let ask = DecideManualStepRequest {
        tenant: session.tenant(),
        request_id: view.request_id,
        step: step.clone(),
        done: !args.not_done,
        note: args.note,
        idempotency_key: session.idempotency_key(),
    };
    let answer = session.executor().decide_manual_step(session.ask(ask)).await?.into_inner();
    let word = if args.not_done { "recorded as not done" } else { "confirmed" };
    if screen.is_table() { screen.line(&format!("step {step} is {word}")) } else { screen.value(&answer) }
}

pub(crate) async fn note(args: NoteArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let ask = NoteExecutionRequest {
        tenant: session.tenant(),
        request_id: find(&args.request.id, session).await?.request_id,
        step: args.step,
        text: args.text,
        idempotency_key: session.idempotency_key(),
    };
    let answer = session.executor().note_execution(session.ask(ask)).await?.into_inner();
    if screen.is_table() { screen.line("noted") } else { screen.value(&answer) }
}

fn under_way(view: &ExecutionView) -> usize {
    view.steps.iter().chain(&view.undo_steps).filter(|step| step.state() == StepState::Running).count()
}

fn the_one_that_waits(view: Option<&ExecutionView>) -> Result<String, CliError> {
    let waiting: Vec<&str> =
        view.iter().flat_map(|view| &view.steps).filter(|step| step.state() == StepState::Waiting).map(id_of).collect();
    match waiting.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(CliError::Usage("no step waits for a person now; look at `muster request show`".to_owned())),
        several => Err(CliError::Usage(format!("several steps wait, name one with --step: {}", several.join(", ")))),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use muster_domain::pb::execution::v1::{Step, StepView};

    use super::*;

    #[test]
    fn the_step_is_named_only_when_there_is_a_choice() {
        let view = |ids: &[&str]| ExecutionView {
            steps: ids
                .iter()
                .map(|id| StepView {
                    step: Some(Step { id: (*id).into(), ..Step::default() }),
                    state: StepState::Waiting.into(),
                    ..StepView::default()
                })
                .collect(),
            ..ExecutionView::default()
        };
        assert_eq!(the_one_that_waits(Some(&view(&["call"]))).unwrap(), "call");
        assert!(the_one_that_waits(Some(&view(&["call", "look"]))).is_err());
        assert!(the_one_that_waits(None).is_err());
    }
}
