//! `muster request open`.

use clap::{Args, ValueEnum};
use muster_domain::pb::request::v1::{OpenRequestRequest, RequestType};

use super::show;
use crate::client::{error::CliError, output::Screen, session::Session};

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Type {
    /// Planned move: both sides are healthy.
    Switchover,
    /// The primary is lost.
    Failover,
}

#[derive(Debug, Args)]
pub(crate) struct OpenArgs {
    /// What kind of move.
    #[arg(long = "type", value_enum)]
    kind: Type,
    #[arg(long)]
    resource: String,
    /// The site it shall run on afterwards.
    #[arg(long, value_name = "SITE")]
    to: String,
    /// What approvers decide on.
    #[arg(long)]
    reason: String,
    /// The change ticket, where the policy asks for one.
    #[arg(long, default_value = "")]
    ticket: String,
}

pub(super) async fn run(args: OpenArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let kind = match args.kind {
        Type::Switchover => RequestType::Switchover,
        Type::Failover => RequestType::Failover,
    };
    let ask = OpenRequestRequest {
        tenant: session.tenant(),
        r#type: kind.into(),
        resource: args.resource,
        target_site: args.to,
        reason: args.reason,
        ticket: args.ticket,
        idempotency_key: session.idempotency_key(),
        ..OpenRequestRequest::default()
    };
    let answer = session.approval().open_request(session.ask(ask)).await?.into_inner();
    show::print(&answer.request.unwrap_or_default(), session.clock.now(), screen)
}
