//! `muster plan lint`: a plan is judged, declared or not.

use std::path::PathBuf;

use clap::Args;
use muster_domain::pb::plan::v1::LintPlanRequest;
use muster_domain::plan::errors;

use super::show;
use crate::client::{
    apply::{self, Source},
    error::CliError,
    exit::Exit,
    output::Screen,
    session::Session,
};

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct LintArgs {
    /// A declared plan.
    name: Option<String>,
    /// A file with one plan, or - for standard input; judged among what is declared.
    #[arg(short, long, value_name = "FILE|-")]
    file: Option<PathBuf>,
}

pub(super) async fn run(args: LintArgs, session: &Session, screen: &Screen) -> Result<Exit, CliError> {
    let sources: Vec<Source> = args.file.iter().map(|file| apply::read_one(file)).collect::<Result<_, _>>()?;
    let ask = LintPlanRequest {
        tenant: session.tenant(),
        name: args.name.unwrap_or_default(),
        manifest: sources.iter().map(|source| source.text.as_str()).collect(),
    };
    let answer = session.plans().lint_plan(session.ask(ask)).await;
    let answer = answer.map_err(|status| apply::in_files(status.into(), &sources))?.into_inner();
    if screen.is_table() {
        show::findings(&answer.findings, screen)?;
        screen.line("")?;
        screen.field("longest way", answer.critical_path.as_str())?;
    } else {
        screen.value(&answer)?;
    }
    Ok(if errors(&answer.findings).is_empty() { Exit::Done } else { Exit::Failed })
}
