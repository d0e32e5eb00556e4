//! What is out of the ordinary: a check that somebody takes the responsibility for, a broken glass that is reviewed.

use clap::Args;
use muster_domain::pb::request::v1::{OverrideCheckRequest, ReviewBreakGlassRequest};

use super::{IdArgs, find, show};
use crate::client::{error::CliError, output::Screen, session::Session, witnessed};

#[derive(Debug, Args)]
pub(crate) struct OverrideArgs {
    #[command(flatten)]
    request: IdArgs,
    /// The check's name, as the preflight or an earlier run shows it.
    #[arg(long)]
    check: String,
    /// The resource that the check is about; default: the run as a whole.
    #[arg(long, default_value = "", hide_default_value = true)]
    resource: String,
    /// What the responsibility rests on.
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct ReviewArgs {
    #[command(flatten)]
    request: IdArgs,
    /// Breaking the glass was justified.
    #[arg(long, conflicts_with = "not_justified", required_unless_present = "not_justified")]
    justified: bool,
    /// It was not.
    #[arg(long)]
    not_justified: bool,
    /// What the review found.
    #[arg(long)]
    findings: String,
}

pub(super) async fn override_check(args: OverrideArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let request_id = find::find(&args.request.id, session).await?.request_id;
    let ask = OverrideCheckRequest {
        tenant: session.tenant(),
        request_id,
        check: args.check,
        resource: args.resource,
        reason: args.reason,
        idempotency_key: session.idempotency_key(),
    };
    let answer = session.approval().override_check(session.ask(ask)).await?.into_inner();
    show::print(&answer.request.unwrap_or_default(), session.clock.now(), screen)
}

pub(super) async fn review(args: ReviewArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let request_id = find::find(&args.request.id, session).await?.request_id;
    let ask = ReviewBreakGlassRequest {
        tenant: session.tenant(),
        request_id,
        justified: args.justified,
        findings: args.findings,
        idempotency_key: session.idempotency_key(),
    };
    let answer = witnessed::told(session.approval().review_break_glass(session.ask(ask)).await?, screen)?;
    show::print(&answer.request.unwrap_or_default(), session.clock.now(), screen)
}
