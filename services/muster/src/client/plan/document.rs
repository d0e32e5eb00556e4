//! `muster plan document` and `muster plan key`: paper for the day when nothing answers, and how it is verified.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use muster_domain::pb::plan::v1::{RenderFormat, RenderPlanRequest};

use super::NameArgs;
use crate::client::{
    error::CliError,
    output::Screen,
    session::{Session, checked},
};

const KEY_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(crate) struct DocumentArgs {
    #[command(flatten)]
    plan: NameArgs,
    /// The form.
    #[arg(long, value_enum, default_value_t = Form::Md)]
    format: Form,
    /// Where it is written; default: standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    /// Markdown.
    Md,
    /// One printable page.
    Html,
    /// The short form for people without a network, signed.
    RunCard,
}

pub(super) async fn run(args: DocumentArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let format = match args.format {
        Form::Md => RenderFormat::Markdown,
        Form::Html => RenderFormat::Html,
        Form::RunCard => RenderFormat::RunCard,
    };
    let ask = RenderPlanRequest { tenant: session.tenant(), name: args.plan.name, format: format.into() };
    let answer = session.plans().render_plan(session.ask(ask)).await?.into_inner();
    let Some(file) = args.out else {
        return if screen.is_table() { screen.raw(answer.content.as_bytes()) } else { screen.value(&answer) };
    };
    std::fs::write(&file, &answer.content)
        .map_err(|error| CliError::Failed(format!("{} cannot be written: {error}", file.display())))?;
    let plan = answer.plan.unwrap_or_default();
    screen.say(&format!("{}: plan {} version {}, made now", file.display(), plan.name, plan.version))
}

/// Public, so nobody has to log in for it.
pub(super) async fn key(server: &str, screen: &Screen) -> Result<(), CliError> {
    let server = server.trim_end_matches('/');
    checked(server)?;
    let address = format!("{server}{}", muster_planner::SIGNING_KEY_PATH);
    let no_answer = |error: reqwest::Error| {
        CliError::unavailable("the key cannot be read", error.to_string(), "check the address (--server)")
    };
    let builder = reqwest::Client::builder().timeout(KEY_TIMEOUT).redirect(reqwest::redirect::Policy::none());
    let http = builder.build().map_err(|error| CliError::Failed(error.to_string()))?;
    let answer = http.get(address).send().await.map_err(no_answer)?;
    let found = answer.status().is_success();
    let text = answer.text().await.map_err(no_answer)?;
    if !found {
        return Err(CliError::Failed(text));
    }
    if screen.is_table() {
        screen.raw(text.as_bytes())
    } else {
        screen.value(&serde_json::json!({ "publicKey": text }))
    }
}
