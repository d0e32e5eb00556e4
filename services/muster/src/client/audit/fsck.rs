//! `muster audit fsck`: everything derived again from the stream, on the machine that has broker and store. No server and
//! no login: it is for the night when the audit service says that it has stopped.

use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use muster_audit::{FsckError, FsckReport};
use muster_domain::TenantId;
use muster_eventlog::{EventLog, LogConfig};
use muster_logstore::LogStore;
use muster_runtime::{Config, SecretResolver, config::Profile};
use serde_json::json;

use crate::client::{GlobalArgs, error::CliError, exit::Exit, output::Screen};

#[derive(Debug, Args)]
pub(crate) struct FsckArgs {
    /// Configuration file with [nats] and [audit]; default: that of `muster up`.
    #[arg(long, env = "MUSTER_CONFIG")]
    config: Option<PathBuf>,
    /// Every tenant that has a log, and not only the one of --tenant.
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(args: FsckArgs, global: &GlobalArgs, screen: &Screen) -> Result<Exit, CliError> {
    let file = args.config.clone().or_else(|| crate::running_config(global.data.clone()));
    let config = Config::load(file.as_deref(), Profile::Production).map_err(|error| failed(&error))?;
    let Some(location) = &config.audit.store else {
        return Err(CliError::Failed("audit.store is not set: there is no transparency log to check".to_owned()));
    };
    let store = LogStore::open(location).map_err(|error| failed(&error))?;
    let log = connect(&config).await?;
    let tenants = match (args.all, &global.tenant) {
        (false, Some(tenant)) => vec![tenant.parse().map_err(|error| CliError::Usage(format!("--tenant: {error}")))?],
        _ => log.tenants().await.map_err(|error| failed(&error))?,
    };
    let mut good = true;
    for tenant in tenants {
        good &= check(&log, &store, &tenant, screen).await?;
    }
    Ok(if good { Exit::Done } else { Exit::Failed })
}

async fn connect(config: &Config) -> Result<EventLog, CliError> {
    let secrets = SecretResolver::new(&config.secrets);
    let password = secrets.resolve_system(config.nats.password_ref.as_deref()).map_err(|error| failed(&error))?;
    let log = LogConfig {
        url: config.nats.url.clone(),
        user: config.nats.user.clone(),
        password,
        replicas: config.nats.replicas,
        prefix: config.nats.prefix.clone(),
        ..LogConfig::default()
    };
    EventLog::connect(&log).await.map_err(|error| failed(&error))
}

/// Whether the tenant's log is good.
async fn check(log: &EventLog, store: &LogStore, tenant: &TenantId, screen: &Screen) -> Result<bool, CliError> {
    let bar = if screen.is_table() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{msg:20} {wide_bar} {pos}/{len} leaves, {per_sec}, {eta} left");
    bar.set_style(style.map_err(|error| failed(&error))?);
    bar.set_message(tenant.to_string());
    let done = muster_audit::fsck(log, store, tenant, |leaves, of| {
        bar.set_length(of);
        bar.set_position(leaves);
    })
    .await;
    bar.finish_and_clear();
    match done {
        Ok(report) => say(tenant, &report, screen),
        Err(FsckError::NotBegun(_)) => {
            screen.note(&format!("{tenant}: no transparency log yet"))?;
            Ok(true)
        }
        Err(error) => Err(failed(&error)),
    }
}

fn say(tenant: &TenantId, report: &FsckReport, screen: &Screen) -> Result<bool, CliError> {
    let good = report.findings.is_empty();
    if !screen.is_table() {
        let findings: Vec<_> = report
            .findings
            .iter()
            .map(|(epoch, finding)| json!({ "epoch": epoch, "finding": finding.to_string() }))
            .collect();
        let value = json!({
            "tenant": tenant.as_str(), "good": good, "origin": report.origin, "epochs": report.epochs, "leaves": report.leaves,
            "signed": report.signed, "witnessed": report.witnessed, "findings": findings,
        });
        screen.line(&value.to_string())?;
        return Ok(good);
    }
    screen.line(&format!(
        "{tenant}: {} leaves of {}, signed to {}, witnessed to {}: {}",
        report.leaves,
        report.origin,
        report.signed,
        report.witnessed,
        if good { "all agrees".to_owned() } else { format!("{} FINDINGS", report.findings.len()) }
    ))?;
    for (epoch, finding) in &report.findings {
        screen.line(&format!("  epoch {epoch}: {finding}"))?;
    }
    Ok(good)
}

fn failed(error: &dyn std::fmt::Display) -> CliError {
    CliError::Failed(error.to_string())
}
