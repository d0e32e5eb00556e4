//! `muster plan …`: recovery plans: list, judge, review, publish, print.

mod change;
mod document;
mod lint;
mod show;

use clap::{Args, Subcommand};
use muster_domain::pb::plan::v1::{
    GetPlanRequest, ListPlansRequest, ListPlansResponse, PlanState, PlanView, ProofState,
};

use super::{
    GlobalArgs,
    error::CliError,
    exit::Exit,
    get::{follows, next_page},
    login,
    output::{
        Screen,
        style::Tone,
        table::{Cell, Table},
        words,
    },
    session::Session,
};

#[derive(Debug, Subcommand)]
pub(crate) enum PlanCommand {
    /// All plans: where each stands, and whether it is proven.
    List,
    /// One plan with its steps, findings, review and tests.
    Show(NameArgs),
    /// Judge a declared plan, or one in a file, without changing anything. Ends with 1 when there are errors.
    Lint(lint::LintArgs),
    /// Ask for the review of the newest version.
    Submit(change::SubmitArgs),
    /// Send the version under review back, with what is wrong.
    Return(change::ReturnArgs),
    /// Publish the version under review, as somebody who neither submitted nor wrote it. Runs use it from then on.
    Publish(change::PublishArgs),
    /// Print the failover documentation, made now: Markdown, a page, or the signed run-card.
    Document(document::DocumentArgs),
    /// Print the public key that run-cards are verified with. How: docs/run-card.md.
    Key,
}

#[derive(Debug, Args)]
pub(crate) struct NameArgs {
    /// The plan's name.
    pub name: String,
}

pub(crate) async fn run(command: PlanCommand, global: &GlobalArgs, screen: &Screen) -> Result<Exit, CliError> {
    if let PlanCommand::Key = command {
        document::key(&login::server_of(global)?, screen).await?;
        return Ok(Exit::Done);
    }
    let session = &Session::with_tenant(global).await?;
    match command {
        PlanCommand::List => list(session, screen).await?,
        PlanCommand::Show(args) => show::print(&get(&args.name, session).await?, screen)?,
        PlanCommand::Lint(args) => return lint::run(args, session, screen).await,
        PlanCommand::Submit(args) => change::submit(args, session, screen).await?,
        PlanCommand::Return(args) => change::return_(args, session, screen).await?,
        PlanCommand::Publish(args) => change::publish(args, session, screen).await?,
        PlanCommand::Document(args) => document::run(args, session, screen).await?,
        PlanCommand::Key => {}
    }
    Ok(Exit::Done)
}

async fn get(name: &str, session: &Session) -> Result<PlanView, CliError> {
    let ask = GetPlanRequest { tenant: session.tenant(), name: name.to_owned(), min_version: 0 };
    let answer = session.plans().get_plan(session.ask(ask)).await?.into_inner();
    answer.plan.ok_or_else(|| CliError::Failed("the answer has no plan".to_owned()))
}

async fn list(session: &Session, screen: &Screen) -> Result<(), CliError> {
    let mut all = ListPlansResponse::default();
    let (mut token, mut pages) = (Some(String::new()), 0);
    while let Some(after) = token {
        let ask = ListPlansRequest { tenant: session.tenant(), page: next_page(after), min_version: 0 };
        let answer = session.plans().list_plans(session.ask(ask)).await?.into_inner();
        all.plans.extend(answer.plans);
        pages += 1;
        token = follows(answer.page, pages, screen)?;
    }
    if screen.is_table() { table(&all.plans).print(screen, "no plans") } else { screen.value(&all) }
}

fn table(plans: &[PlanView]) -> Table {
    let mut table = Table::new(&["NAME", "VERSION", "STATE", "IN USE", "PROOF", "PROVEN UNTIL", "FINDINGS"]);
    for view in plans {
        table.row([
            view.name.as_str().into(),
            version(view.newest.as_ref()).into(),
            state_cell(view.state()),
            view.published.as_ref().map_or_else(|| "built-in".to_owned(), |plan| version(Some(plan))).into(),
            proof_cell(view.proof()),
            words::time(view.proven_until.as_ref()).into(),
            show::count_of(&view.findings),
        ]);
    }
    table
}

/// "3"
fn version(plan: Option<&muster_domain::pb::plan::v1::PlanRef>) -> String {
    plan.map_or_else(|| words::UNKNOWN.to_owned(), |plan| plan.version.to_string())
}

fn state_cell(state: PlanState) -> Cell {
    match state {
        PlanState::Draft => Cell::toned(Tone::Dim, "draft"),
        PlanState::InReview => Cell::toned(Tone::Warning, "in review"),
        PlanState::Published => Cell::toned(Tone::Good, "published"),
        PlanState::Unspecified => words::UNKNOWN.into(),
    }
}

fn proof_cell(proof: ProofState) -> Cell {
    match proof {
        ProofState::Proven => Cell::toned(Tone::Good, "proven"),
        ProofState::Untested => Cell::toned(Tone::Warning, "not proven"),
        ProofState::Stale => Cell::toned(Tone::Warning, "too long ago"),
        ProofState::Failed => Cell::toned(Tone::Bad, "FAILED"),
        ProofState::Unspecified => words::UNKNOWN.into(),
    }
}
