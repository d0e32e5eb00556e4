//! `muster preflight`: could this be run now? Every check of a run, and nothing claimed.

use clap::{ArgGroup, Args};
use muster_domain::pb::execution::v1::{PreflightReport, PreflightRequest, Verdict};
use muster_domain::pb::request::v1::RequestType;
use muster_domain::request::type_name;

use crate::client::{
    error::CliError,
    exit::Exit,
    output::{
        Screen,
        style::Tone,
        table::{Cell, Table},
        words,
    },
    request::request_type,
    session::Session,
};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("about").required(true).args(["resource", "group"]))]
pub(crate) struct PreflightArgs {
    /// What would be run: switchover, failover, failback, rotation, live-drill, readiness-drill, isolated-drill.
    #[arg(long = "type", value_parser = request_type)]
    kind: RequestType,
    /// The resource.
    #[arg(long)]
    resource: Option<String>,
    /// The group.
    #[arg(long)]
    group: Option<String>,
    /// The site it would run on. Left out: the one that the type implies.
    #[arg(long, default_value = "", hide_default_value = true)]
    to: String,
    /// The published plan. Left out: the one that fits, or the built-in one.
    #[arg(long, default_value = "", hide_default_value = true)]
    plan: String,
}

/// Ends with success unless the verdict is no-go.
pub(crate) async fn run(args: PreflightArgs, session: &Session, screen: &Screen) -> Result<Exit, CliError> {
    let ask = PreflightRequest {
        tenant: session.tenant(),
        r#type: type_name(args.kind).to_owned(),
        resource: args.resource.unwrap_or_default(),
        group: args.group.unwrap_or_default(),
        target_site: args.to,
        plan: args.plan,
        idempotency_key: session.idempotency_key(),
    };
    let mut asked = session.follow(ask);
    // The platforms are asked, each within its own limit.
    asked.set_timeout(std::time::Duration::from_secs(150));
    let answer = session.executor().preflight(asked).await?.into_inner();
    let report = answer.report.clone().unwrap_or_default();
    if screen.is_table() {
        print(&report, screen)?
    } else {
        screen.value(&answer)?
    }
    Ok(if report.verdict() == Verdict::NoGo { Exit::Failed } else { Exit::Done })
}

fn print(report: &PreflightReport, screen: &Screen) -> Result<(), CliError> {
    let about = if report.group.is_empty() { report.resource.clone() } else { format!("group {}", report.group) };
    screen.line(&format!(
        "{}  {} of {about} to {}",
        verdict_cell(report.verdict()).painted(screen),
        report.r#type,
        report.target_site
    ))?;
    screen.line(&format!("preflight {}: name it when you open the request", report.preflight_id))?;
    let mut table = Table::new(&["OUTCOME", "RESOURCE", "CHECK", "FOUND", "LIMIT", "TEXT"]);
    for check in &report.checks {
        table.row([
            words::check_outcome(check.outcome()),
            check.resource.as_str().into(),
            check.name.as_str().into(),
            check.value.as_str().into(),
            check.limit.as_str().into(),
            check.text.as_str().into(),
        ]);
    }
    table.print(screen, "no checks")?;
    for finding in &report.findings {
        screen
            .line(&format!("plan: {} {} {} Next: {}", finding.code, finding.step, finding.text, finding.next_action))?;
    }
    Ok(())
}

fn verdict_cell(verdict: Verdict) -> Cell {
    match verdict {
        Verdict::Go => Cell::toned(Tone::Good, "GO"),
        Verdict::Caution => Cell::toned(Tone::Warning, "CAUTION"),
        Verdict::NoGo => Cell::toned(Tone::Bad, "NO-GO"),
        Verdict::Unspecified => Cell::toned(Tone::Dim, "UNKNOWN"),
    }
}
