//! Decisions on a request, and stopping what runs.

use clap::Args;
use muster_domain::pb::execution::v1::StopExecutionRequest;
use muster_domain::pb::request::v1::{ApproveRequestRequest, DenyRequestRequest, WithdrawRequestRequest};

use super::{IdArgs, find, show};
use crate::client::{error::CliError, output::Screen, session::Session, witnessed};

#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    #[command(flatten)]
    request: IdArgs,
    /// A remark for the record.
    #[arg(long, default_value = "", hide_default_value = true)]
    note: String,
    /// The plan's hash that you looked at; another one is refused.
    #[arg(long, value_name = "HASH", default_value = "", hide_default_value = true)]
    plan_hash: String,
    /// Decide for this person, who is away and has delegated to you: the stable id.
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    on_behalf_of: String,
}

#[derive(Debug, Args)]
pub(crate) struct ReasonArgs {
    #[command(flatten)]
    request: IdArgs,
    /// Why, for the record.
    #[arg(long)]
    reason: String,
}

pub(super) async fn approve(args: ApproveArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let request_id = find::find(&args.request.id, session).await?.request_id;
    let idempotency_key = session.idempotency_key();
    let ask = ApproveRequestRequest {
        tenant: session.tenant(),
        request_id,
        note: args.note,
        idempotency_key,
        plan_hash: args.plan_hash,
        on_behalf_of: args.on_behalf_of,
    };
    let answer = witnessed::told(session.approval().approve_request(session.ask(ask)).await?, screen)?;
    show::print(&answer.request.unwrap_or_default(), session.clock.now(), screen)
}

pub(super) async fn deny(args: ReasonArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let request_id = find::find(&args.request.id, session).await?.request_id;
    let idempotency_key = session.idempotency_key();
    let ask = DenyRequestRequest { tenant: session.tenant(), request_id, reason: args.reason, idempotency_key };
    let answer = witnessed::told(session.approval().deny_request(session.ask(ask)).await?, screen)?;
    show::print(&answer.request.unwrap_or_default(), session.clock.now(), screen)
}

pub(super) async fn withdraw(args: ReasonArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let request_id = find::find(&args.request.id, session).await?.request_id;
    let idempotency_key = session.idempotency_key();
    let ask = WithdrawRequestRequest { tenant: session.tenant(), request_id, reason: args.reason, idempotency_key };
    let answer = session.approval().withdraw_request(session.ask(ask)).await?.into_inner();
    show::print(&answer.request.unwrap_or_default(), session.clock.now(), screen)
}

pub(super) async fn stop(args: ReasonArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let request_id = find::find(&args.request.id, session).await?.request_id;
    let idempotency_key = session.idempotency_key();
    let ask = StopExecutionRequest {
        tenant: session.tenant(),
        request_id: request_id.clone(),
        reason: args.reason,
        idempotency_key,
    };
    let answer = session.executor().stop_execution(session.ask(ask)).await?.into_inner();
    if screen.is_table() {
        screen.line(&format!("stop is recorded: nothing begins after the step that is running; follow it with `muster request watch {request_id}`"))
    } else {
        screen.value(&answer)
    }
}
