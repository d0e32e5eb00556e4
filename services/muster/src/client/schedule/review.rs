//! `muster schedule review`.

use clap::Args;
use muster_domain::pb::schedule::v1::RecordReviewRequest;
use muster_domain::time::to_pb;

use crate::client::{error::CliError, moment::moment, output::Screen, session::Session};

#[derive(Debug, Args)]
pub(crate) struct ReviewArgs {
    /// The schedule.
    name: String,
    /// What the review found.
    #[arg(long)]
    findings: String,
    /// The due time that it is for, as `muster schedule show` has it; default: the newest.
    #[arg(long)]
    due: Option<String>,
}

pub(super) async fn run(args: ReviewArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let due = args.due.as_deref().map(|text| moment("--due", text, session.clock.now())).transpose()?;
    let ask = RecordReviewRequest {
        tenant: session.tenant(),
        name: args.name.clone(),
        due_at: due.map(to_pb),
        findings: args.findings,
        idempotency_key: session.idempotency_key(),
    };
    let answer = session.schedules().record_review(session.ask(ask)).await?.into_inner();
    if screen.is_table() {
        screen.note(&format!("recorded: the review of {}", args.name))
    } else {
        screen.value(&answer)
    }
}
