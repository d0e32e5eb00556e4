//! `muster`: one binary for the whole product, one service, and the people who use it.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod client;
mod demo;
mod docs;
mod doctor;
mod place;
mod rebuild;
mod run;
mod services;
mod up;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use client::{ClientCommand, GlobalArgs};
use place::Place;

/// Disaster-recovery readiness and failover.
#[derive(Debug, Parser)]
#[command(name = "muster", version, about, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    /// Where `muster up` keeps its data (default: .muster/local of the project).
    #[arg(long, global = true, env = "MUSTER_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "parsed once in the life of a process")]
enum Command {
    /// Start the whole product on this machine, with real databases to protect.
    Up(up::UpArgs),
    /// Run one service, or a witness of transparency logs.
    Run {
        #[arg(value_parser = services::RUNNABLE)]
        service: String,
        /// Configuration file (docs/config.md); the environment adds to it.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Say what is wrong with an installation, and how to mend it.
    Doctor {
        /// Configuration file; default: that of `muster up`.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Faults and facts of the demo's databases.
    #[command(subcommand)]
    Demo(demo::DemoCommand),
    /// Read models.
    #[command(subcommand)]
    Projection(ProjectionCommand),
    /// Write or check the generated pages below docs/.
    #[command(hide = true)]
    Docs {
        #[arg(value_parser = ["write", "check"])]
        action: String,
    },
    #[command(flatten)]
    Client(ClientCommand),
}

#[derive(Debug, Subcommand)]
enum ProjectionCommand {
    /// Empty a read model and fill it again from the log.
    Rebuild {
        /// "monitor.readiness"; a wrong name lists all.
        name: String,
        #[arg(long)]
        config: Option<PathBuf>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    // One provider of cryptography for everything; installed before the first connection.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => client::end_unparsed(&error),
    };
    if let Command::Client(command) = cli.command {
        cli.global.data = cli.data;
        return client::run(command, cli.global).await;
    }
    let json = cli.global.wants_json();
    match run_local(cli.command, cli.data, json).await {
        Ok(code) => code,
        Err(error) if json => client::end_failed(&error),
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run_local(command: Command, data: Option<PathBuf>, json: bool) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(args) => Box::pin(up::run(args, &Place::find(data)?)).await?,
        Command::Run { service, config } => Box::pin(run::run(&service, config.as_deref())).await?,
        Command::Doctor { config } => return doctor::run(config.or_else(|| running_config(data)), json).await,
        Command::Demo(command) => Box::pin(demo::run(command, &Place::find(data)?, json)).await?,
        Command::Projection(ProjectionCommand::Rebuild { name, config }) => {
            rebuild::rebuild(&name, config.or_else(|| running_config(data)).as_deref()).await?;
        }
        Command::Docs { action } => docs::run(&action)?,
        Command::Client(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// The configuration that `muster up` runs with, if there is one.
pub(crate) fn running_config(data: Option<PathBuf>) -> Option<PathBuf> {
    let file = Place::find(data).ok()?.file("muster.toml");
    file.is_file().then_some(file)
}

/// The whole chain, once.
#[expect(clippy::print_stderr, reason = "the error is for the person at the terminal")]
fn report(error: &anyhow::Error) {
    eprintln!("muster: {error:#}");
}
