//! `muster gate …`: how far Muster may go by itself, and who changes that.

use clap::{Args, Subcommand, ValueEnum};
use muster_domain::{
    gate::level_name,
    pb::request::v1::{
        DecideGateChangeRequest, GateLevel, GateView, ListGatesRequest, ListGatesResponse, ProposeGateChangeRequest,
    },
};

use super::{
    error::CliError,
    output::{Screen, table::Table, words},
    session::Session,
};

#[derive(Debug, Subcommand)]
pub(crate) enum GateCommand {
    /// The gate of each type of request, and of single plans.
    List,
    /// Ask for another level; a second person decides.
    Propose(ProposeArgs),
    /// Approve the open change of a gate.
    Approve(DecideArgs),
    /// Reject the open change of a gate.
    Reject(DecideArgs),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Level {
    /// Run and log.
    L0,
    /// Run and notify.
    L1,
    /// Wait for explicit approval.
    L2,
    /// People act; Muster advises.
    L3,
}

#[derive(Debug, Args)]
pub(crate) struct GateArgs {
    /// "switchover", "isolated-drill", …
    #[arg(long = "type", value_name = "TYPE")]
    request_type: String,
    /// Only of this plan; default: of every plan.
    #[arg(long, default_value = "", hide_default_value = true)]
    plan: String,
}

#[derive(Debug, Args)]
pub(crate) struct ProposeArgs {
    #[command(flatten)]
    gate: GateArgs,
    #[arg(long, value_enum, ignore_case = true)]
    to: Level,
    /// Why, for the record.
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct DecideArgs {
    #[command(flatten)]
    gate: GateArgs,
    /// The change, as `muster gate list` shows it.
    #[arg(long)]
    change: String,
    /// A remark for the record; needed for a no.
    #[arg(long, default_value = "", hide_default_value = true)]
    note: String,
}

pub(crate) async fn run(command: GateCommand, session: &Session, screen: &Screen) -> Result<(), CliError> {
    match command {
        GateCommand::List => {
            let ask = ListGatesRequest { tenant: session.tenant(), min_version: 0 };
            print(session.approval().list_gates(session.ask(ask)).await?.into_inner(), screen)
        }
        GateCommand::Propose(args) => {
            let to = match args.to {
                Level::L0 => GateLevel::L0,
                Level::L1 => GateLevel::L1,
                Level::L2 => GateLevel::L2,
                Level::L3 => GateLevel::L3,
            };
            let ask = ProposeGateChangeRequest {
                tenant: session.tenant(),
                request_type: args.gate.request_type,
                plan: args.gate.plan,
                to: to.into(),
                reason: args.reason,
                idempotency_key: session.idempotency_key(),
            };
            let answer = session.approval().propose_gate_change(session.ask(ask)).await?.into_inner();
            print(ListGatesResponse { gates: answer.gate.into_iter().collect() }, screen)
        }
        GateCommand::Approve(args) => decide(args, true, session, screen).await,
        GateCommand::Reject(args) => decide(args, false, session, screen).await,
    }
}

async fn decide(args: DecideArgs, approve: bool, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let ask = DecideGateChangeRequest {
        tenant: session.tenant(),
        request_type: args.gate.request_type,
        plan: args.gate.plan,
        change_id: args.change,
        approve,
        note: args.note,
        idempotency_key: session.idempotency_key(),
    };
    let answer = session.approval().decide_gate_change(session.ask(ask)).await?.into_inner();
    print(ListGatesResponse { gates: answer.gate.into_iter().collect() }, screen)
}

fn print(gates: ListGatesResponse, screen: &Screen) -> Result<(), CliError> {
    if !screen.is_table() {
        return screen.value(&gates);
    }
    let mut table = Table::new(&["TYPE", "PLAN", "LEVEL", "LOWEST", "WHY", "OPEN CHANGE"]);
    for gate in &gates.gates {
        table.row([
            gate.request_type.as_str().into(),
            if gate.plan.is_empty() { "every plan".into() } else { gate.plan.as_str().into() },
            level_name(gate.level()).into(),
            level_name(gate.floor()).into(),
            gate.source.as_str().into(),
            open_change(gate).into(),
        ]);
    }
    table.print(screen, "no gates")
}

fn open_change(gate: &GateView) -> String {
    gate.pending
        .as_ref()
        .map(|change| {
            let who = words::actor(change.actor.as_ref());
            format!("to {} by {who}: {} ({})", level_name(change.to()), change.reason, change.change_id)
        })
        .unwrap_or_default()
}
