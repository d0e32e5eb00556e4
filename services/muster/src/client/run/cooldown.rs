//! `muster cooldown acknowledge`: a person has looked at a system after its failover.

use clap::{Args, Subcommand};
use muster_domain::execution::reservation_of_group;
use muster_domain::pb::execution::v1::AcknowledgeCoolDownRequest;

use crate::client::{error::CliError, output::Screen, session::Session};

#[derive(Debug, Subcommand)]
pub(crate) enum CooldownCommand {
    /// Say that you looked at a system after its failover: it may be moved again.
    Acknowledge(AcknowledgeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AcknowledgeArgs {
    /// The resource, or with --group the group.
    name: String,
    /// The name is a group's: its own quiet, not that of its members.
    #[arg(long)]
    group: bool,
    /// What you looked at, for the record.
    #[arg(long)]
    note: String,
}

pub(crate) async fn run(command: CooldownCommand, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let CooldownCommand::Acknowledge(args) = command;
    let resource = if args.group { reservation_of_group(&args.name) } else { args.name.clone() };
    let ask = AcknowledgeCoolDownRequest {
        tenant: session.tenant(),
        resource,
        note: args.note,
        idempotency_key: session.idempotency_key(),
    };
    let answer = session.executor().acknowledge_cool_down(session.ask(ask)).await?.into_inner();
    if screen.is_table() { screen.line(&format!("{} may be moved again", args.name)) } else { screen.value(&answer) }
}
