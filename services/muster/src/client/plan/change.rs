//! The review of a plan: submit, return, publish.

use clap::Args;
use muster_domain::pb::plan::v1::{PublishPlanRequest, ReturnPlanRequest, SubmitPlanRequest};

use super::{NameArgs, get, show};
use crate::client::{error::CliError, output::Screen, session::Session};

/// Fewer characters of a hash fit by accident.
const SHORTEST_HASH: usize = 8;

#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    #[command(flatten)]
    plan: NameArgs,
    /// The version that is meant; default: the newest. Another one than the newest is refused.
    #[arg(long, value_name = "NUMBER")]
    plan_version: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct ReturnArgs {
    #[command(flatten)]
    plan: NameArgs,
    /// What is wrong.
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    #[command(flatten)]
    plan: NameArgs,
    /// The hash of the version that was reviewed, as `muster plan show` says it, or its first 8 characters or more.
    #[arg(long)]
    hash: String,
    /// A remark for the record.
    #[arg(long, default_value = "")]
    note: String,
}

pub(super) async fn submit(args: SubmitArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let plan_version = match args.plan_version {
        Some(version) => version,
        None => get(&args.plan.name, session).await?.newest.unwrap_or_default().version,
    };
    let ask = SubmitPlanRequest {
        tenant: session.tenant(),
        name: args.plan.name,
        plan_version,
        idempotency_key: session.idempotency_key(),
    };
    let answer = session.plans().submit_plan(session.ask(ask)).await?.into_inner();
    show::print(&answer.plan.unwrap_or_default(), screen)
}

pub(super) async fn return_(args: ReturnArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let ask = ReturnPlanRequest {
        tenant: session.tenant(),
        name: args.plan.name,
        reason: args.reason,
        idempotency_key: session.idempotency_key(),
    };
    let answer = session.plans().return_plan(session.ask(ask)).await?.into_inner();
    show::print(&answer.plan.unwrap_or_default(), screen)
}

pub(super) async fn publish(args: PublishArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let hash = args.hash.trim().to_ascii_lowercase();
    if hash.len() < SHORTEST_HASH {
        return Err(CliError::Usage(format!("--hash {hash}: give at least {SHORTEST_HASH} characters of it")));
    }
    let submitted = get(&args.plan.name, session).await?.submitted.and_then(|submitted| submitted.plan);
    // What does not begin the submitted hash goes as it is: the refusal names both.
    let hash = submitted.map(|plan| plan.hash).filter(|whole| whole.starts_with(&hash)).unwrap_or(hash);
    let ask = PublishPlanRequest {
        tenant: session.tenant(),
        name: args.plan.name,
        hash,
        note: args.note,
        idempotency_key: session.idempotency_key(),
    };
    let answer = session.plans().publish_plan(session.ask(ask)).await?.into_inner();
    show::print(&answer.plan.unwrap_or_default(), screen)
}
