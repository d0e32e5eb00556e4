//! `muster gap open`.

use clap::{Args, ValueEnum};
use muster_domain::pb::audit::v1::{OpenGapRequest, Severity};

use crate::client::{error::CliError, output::Screen, session::Session};

#[derive(Debug, Args)]
pub(crate) struct OpenArgs {
    /// One line.
    #[arg(long)]
    title: String,
    #[arg(long, default_value = "", hide_default_value = true)]
    description: String,
    #[arg(long, value_enum)]
    severity: SeverityArg,
    /// The resource it is of.
    #[arg(long, default_value = "", hide_default_value = true)]
    resource: String,
    /// The group it is of.
    #[arg(long, default_value = "", hide_default_value = true, conflicts_with = "resource")]
    group: String,
    /// The request whose run showed it; its whole id.
    #[arg(long, default_value = "", hide_default_value = true)]
    request: String,
    /// Objectives of NIST SP 800-53A that it stands against: cp-4_obj.c.
    #[arg(long = "objective", value_name = "OBJECTIVE")]
    objectives: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SeverityArg {
    Low,
    Moderate,
    /// Closed and accepted only by somebody else than who opened it.
    High,
}

pub(super) async fn run(args: OpenArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let severity = match args.severity {
        SeverityArg::Low => Severity::Low,
        SeverityArg::Moderate => Severity::Moderate,
        SeverityArg::High => Severity::High,
    };
    let ask = OpenGapRequest {
        tenant: session.tenant(),
        idempotency_key: session.idempotency_key(),
        title: args.title,
        description: args.description,
        severity: severity.into(),
        resource: args.resource,
        group: args.group,
        request_id: args.request,
        objectives: args.objectives,
    };
    let answer = session.audit().open_gap(session.ask(ask)).await?.into_inner();
    if screen.is_table() { screen.line(&format!("gap {} is open", answer.gap_id)) } else { screen.value(&answer) }
}
