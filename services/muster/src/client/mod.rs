//! The commands of people: everything goes through the gRPC API with the person's own token. What the API does not
//! allow, no command can do.

mod alert;
mod apply;
mod audit;
mod chat;
mod delegate;
mod delete;
mod describe;
mod docs;
mod error;
mod exit;
mod gap;
mod gate;
mod get;
mod kinds;
pub(crate) mod login;
mod moment;
mod notify;
mod output;
mod plan;
mod policy;
mod profile;
mod request;
mod run;
mod schedule;
mod session;
mod watch;
mod witnessed;

use std::process::ExitCode;

use clap::{Args, CommandFactory, Subcommand, ValueEnum};

pub(crate) use docs::render_cli_docs;

use error::CliError;
use output::Screen;
use session::Session;

/// Which installation, as whom, for which tenant, and how the answer looks.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Address of Muster; default: the one of the last login, else http://127.0.0.1:7400.
    #[arg(long, global = true, env = "MUSTER_SERVER", value_name = "URL")]
    pub server: Option<String>,
    /// The tenant; default: yours, when you have just one.
    #[arg(long, global = true, env = "MUSTER_TENANT", value_name = "NAME")]
    pub tenant: Option<String>,
    /// Whose login to use; each profile keeps its own.
    #[arg(long, global = true, env = "MUSTER_PROFILE", value_name = "NAME", default_value = "default")]
    pub profile: String,
    /// How the answer looks. JSON is proto3 JSON and stays stable.
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    pub output: Format,
    /// Where `muster up` keeps its data, if that was named: for commands on the servers' own machine.
    #[arg(skip)]
    pub data: Option<std::path::PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// Documents as manifests; everything else as JSON's values.
    Yaml,
}

impl GlobalArgs {
    pub(crate) fn wants_json(&self) -> bool {
        self.output == Format::Json
    }
}

/// What people do.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Log in with your identity provider; the token is kept for this server and profile.
    Login(login::LoginArgs),
    /// Forget the login of this server and profile.
    Logout,
    /// Say who Muster thinks you are, and your roles.
    Whoami,
    /// Declare what manifests say: all of it or nothing.
    Apply(apply::ApplyArgs),
    /// List documents, readiness, alerts or deliveries, or show one document.
    Get(get::GetArgs),
    /// Show one thing with everything known about it.
    Describe(describe::DescribeArgs),
    /// Take a document out of use; its history stays.
    Delete(delete::DeleteArgs),
    /// The fleet as it is now, live.
    Watch(watch::WatchArgs),
    /// What is wrong now, and who looks after it.
    #[command(subcommand)]
    Alert(alert::AlertCommand),
    /// Who was told what and when, and whether a route works.
    #[command(subcommand)]
    Notify(notify::NotifyCommand),
    /// Requests to move a system: open, decide, start, follow.
    #[command(subcommand)]
    Request(request::RequestCommand),
    /// Could this be run now? Every check of a run, and nothing is claimed.
    Preflight(run::preflight::PreflightArgs),
    /// The quiet after a failover.
    #[command(subcommand)]
    Cooldown(run::cooldown::CooldownCommand),
    /// Recovery plans: judge, review, publish, print.
    #[command(subcommand)]
    Plan(plan::PlanCommand),
    /// How far Muster may go by itself, for each type of request.
    #[command(subcommand)]
    Gate(gate::GateCommand),
    /// Who decides for you while you are away.
    #[command(subcommand)]
    Delegate(delegate::DelegateCommand),
    /// The chat account in which you are asked.
    #[command(subcommand)]
    Chat(chat::ChatCommand),
    /// Who would have to approve a request.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// What is due when: drills, rotations, reviews.
    #[command(subcommand)]
    Schedule(schedule::ScheduleCommand),
    /// What is not as it should be, until it is closed or accepted until a date.
    #[command(subcommand)]
    Gap(gap::GapCommand),
    /// The record of everything that was done.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Write the completion script of a shell.
    Completion {
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

/// Runs one command and says how it ended (see [`exit`]).
pub(crate) async fn run(command: ClientCommand, global: GlobalArgs) -> ExitCode {
    let screen = Screen::new(global.output);
    let done = Box::pin(dispatch(command, &global, &screen)).await;
    match done {
        Ok(code) => code.into(),
        // The reader of our output has gone away, as `head` does: that is its business.
        Err(CliError::PipeClosed) => ExitCode::SUCCESS,
        Err(error) => {
            screen.error(&error);
            error.exit().into()
        }
    }
}

/// Ends with what clap says: help and version as they are, mistakes as JSON where JSON was asked for.
#[expect(
    clippy::disallowed_methods,
    reason = "as clap itself ends: nothing has been started that would need an orderly end"
)]
pub(crate) fn end_unparsed(error: &clap::Error) -> ! {
    if !error.use_stderr() || !asks_for_json(std::env::args().skip(1)) {
        error.exit();
    }
    let said = error.to_string();
    let said = said.trim().strip_prefix("error: ").unwrap_or(said.trim()).to_owned();
    let wrong = CliError::Usage(said);
    Screen::new(Format::Json).error(&wrong);
    std::process::exit(wrong.exit().code().into())
}

/// The end of a command of this machine that failed, for programs.
pub(crate) fn end_failed(error: &anyhow::Error) -> ExitCode {
    let failed = CliError::Failed(format!("{error:#}"));
    Screen::new(Format::Json).error(&failed);
    failed.exit().into()
}

/// What could not be parsed cannot say which form it wants, so the words are looked at.
fn asks_for_json(words: impl Iterator<Item = String>) -> bool {
    let words: Vec<String> = words.take_while(|word| word != "--").collect();
    let apart = words.windows(2).any(|pair| matches!(pair[0].as_str(), "-o" | "--output") && pair[1] == "json");
    apart || words.iter().any(|word| matches!(word.as_str(), "-ojson" | "-o=json" | "--output=json"))
}

async fn dispatch(command: ClientCommand, global: &GlobalArgs, screen: &Screen) -> Result<exit::Exit, CliError> {
    match command {
        ClientCommand::Login(args) => login::login(args, global, screen).await?,
        ClientCommand::Logout => login::logout(global, screen)?,
        ClientCommand::Completion { shell } => complete(shell, screen)?,
        ClientCommand::Whoami => login::whoami(&Session::open(global).await?, screen).await?,
        ClientCommand::Apply(args) => apply::run(args, &Session::with_tenant(global).await?, screen).await?,
        ClientCommand::Get(args) => get::run(args, &Session::with_tenant(global).await?, screen).await?,
        ClientCommand::Describe(args) => describe::run(args, &Session::with_tenant(global).await?, screen).await?,
        ClientCommand::Delete(args) => delete::run(args, &Session::with_tenant(global).await?, screen).await?,
        ClientCommand::Watch(args) => watch::run(args, &Session::with_tenant(global).await?, screen).await?,
        ClientCommand::Alert(command) => alert::run(command, &Session::with_tenant(global).await?, screen).await?,
        ClientCommand::Notify(command) => {
            return notify::run(command, &Session::with_tenant(global).await?, screen).await;
        }
        ClientCommand::Request(command) => {
            let session = Session::with_tenant(global).await?;
            return Box::pin(request::run(command, &session, screen)).await;
        }
        ClientCommand::Preflight(args) => {
            return run::preflight::run(args, &Session::with_tenant(global).await?, screen).await;
        }
        ClientCommand::Cooldown(command) => {
            run::cooldown::run(command, &Session::with_tenant(global).await?, screen).await?;
        }
        ClientCommand::Plan(command) => return plan::run(command, global, screen).await,
        ClientCommand::Gate(command) => gate::run(command, &Session::with_tenant(global).await?, screen).await?,
        ClientCommand::Delegate(command) => {
            delegate::run(command, &Session::with_tenant(global).await?, screen).await?;
        }
        ClientCommand::Chat(command) => chat::run(command, &Session::with_tenant(global).await?, screen).await?,
        ClientCommand::Policy(command) => policy::run(command, &Session::with_tenant(global).await?, screen).await?,
        ClientCommand::Schedule(command) => {
            schedule::run(command, &Session::with_tenant(global).await?, screen).await?;
        }
        ClientCommand::Gap(command) => gap::run(command, &Session::with_tenant(global).await?, screen).await?,
        ClientCommand::Audit(command) => return Box::pin(audit::run(command, global, screen)).await,
    }
    Ok(exit::Exit::Done)
}

fn complete(shell: clap_complete::Shell, screen: &Screen) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::Cli::command(), "muster", &mut script);
    screen.raw(&script)
}

#[cfg(test)]
mod tests {
    use super::asks_for_json;

    #[test]
    fn a_mistake_is_json_where_json_was_asked_for() {
        let asks = |line: &str| asks_for_json(line.split(' ').map(str::to_owned));
        for yes in ["get -o json", "--output json frobnicate", "-ojson", "get --output=json x"] {
            assert!(asks(yes), "{yes}");
        }
        for no in ["get -o table json", "json", "request open --reason -- -o json", "-o"] {
            assert!(!asks(no), "{no}");
        }
    }
}
