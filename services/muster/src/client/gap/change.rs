//! `muster gap plan|close|accept|reopen`.

use clap::Args;
use muster_domain::pb::audit::v1::{AcceptGapRequest, CloseGapRequest, PlanGapRequest, ReopenGapRequest};
use muster_domain::time::to_pb;

use super::find::{find, id_of};
use crate::client::{error::CliError, moment::moment, output::Screen, session::Session, witnessed};

#[derive(Debug, Args)]
pub(crate) struct IdArgs {
    /// The gap's id, or enough of its beginning.
    pub(super) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    gap: IdArgs,
    /// What will be done.
    #[arg(long)]
    plan: String,
    /// Who sees to it.
    #[arg(long)]
    owner: String,
    /// Until when: a time, a day, or in how long (48h).
    #[arg(long, value_name = "TIME")]
    due: String,
}

#[derive(Debug, Args)]
pub(crate) struct CloseArgs {
    #[command(flatten)]
    gap: IdArgs,
    /// What was done about it.
    #[arg(long)]
    note: String,
    /// The request whose run shows that it is mended; needed for what a run showed. Its whole id.
    #[arg(long, value_name = "REQUEST", default_value = "", hide_default_value = true)]
    evidence: String,
}

#[derive(Debug, Args)]
pub(crate) struct AcceptArgs {
    #[command(flatten)]
    gap: IdArgs,
    /// Why the risk is borne.
    #[arg(long)]
    reason: String,
    /// Until when, a year at most: a time, a day, or in how long (720h).
    #[arg(long, value_name = "TIME")]
    until: String,
}

#[derive(Debug, Args)]
pub(crate) struct ReopenArgs {
    #[command(flatten)]
    gap: IdArgs,
    /// What shows that it is not mended.
    #[arg(long)]
    reason: String,
}

pub(super) async fn plan(args: PlanArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let gap_id = id_of(&find(&args.gap.id, session).await?).to_owned();
    let due = moment("--due", &args.due, session.clock.now())?;
    let ask = PlanGapRequest {
        tenant: session.tenant(),
        gap_id: gap_id.clone(),
        plan: args.plan,
        owner: args.owner,
        due: Some(to_pb(due)),
    };
    let answer = session.audit().plan_gap(session.ask(ask)).await?.into_inner();
    if !screen.is_table() {
        return screen.value(&answer);
    }
    screen.line(&format!("gap {gap_id} is planned, due {due:.0}"))
}

pub(super) async fn close(args: CloseArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let gap_id = id_of(&find(&args.gap.id, session).await?).to_owned();
    let ask = CloseGapRequest {
        tenant: session.tenant(),
        gap_id: gap_id.clone(),
        note: args.note,
        evidence_request_id: args.evidence,
    };
    let answer = witnessed::told(session.audit().close_gap(session.ask(ask)).await?, screen)?;
    if screen.is_table() { screen.line(&format!("gap {gap_id} is closed")) } else { screen.value(&answer) }
}

pub(super) async fn accept(args: AcceptArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let gap_id = id_of(&find(&args.gap.id, session).await?).to_owned();
    let until = moment("--until", &args.until, session.clock.now())?;
    let ask = AcceptGapRequest {
        tenant: session.tenant(),
        gap_id: gap_id.clone(),
        reason: args.reason,
        until: Some(to_pb(until)),
    };
    let answer = witnessed::told(session.audit().accept_gap(session.ask(ask)).await?, screen)?;
    if !screen.is_table() {
        return screen.value(&answer);
    }
    screen.line(&format!("the risk of gap {gap_id} is accepted until {until:.0}; then it opens again by itself"))
}

pub(super) async fn reopen(args: ReopenArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let gap_id = id_of(&find(&args.gap.id, session).await?).to_owned();
    let ask = ReopenGapRequest { tenant: session.tenant(), gap_id: gap_id.clone(), reason: args.reason };
    let answer = session.audit().reopen_gap(session.ask(ask)).await?.into_inner();
    if screen.is_table() { screen.line(&format!("gap {gap_id} is open again")) } else { screen.value(&answer) }
}
