//! `muster audit story`: everything about one request, each event below what caused it.

use clap::Args;
use muster_domain::pb::audit::v1::GetStoryRequest;

use crate::client::{
    error::CliError,
    output::{Screen, table::Table, words},
    request::find::find,
    session::Session,
};

#[derive(Debug, Args)]
pub(crate) struct StoryArgs {
    /// The request's id, or enough of it.
    request: String,
}

pub(super) async fn run(args: StoryArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let request = find(&args.request, session).await?;
    let ask = GetStoryRequest { tenant: session.tenant(), request_id: request.request_id, min_version: 0 };
    let answer = session.audit().get_story(session.ask(ask)).await?.into_inner();
    if !screen.is_table() {
        return screen.value(&answer);
    }
    let mut table = Table::new(&["CHAPTER", "EVENT", "TIME", "ACTOR", "OUTCOME", "REASON", "SEQUENCE"]);
    let mut chapter = String::new();
    for line in &answer.lines {
        let record = line.record.clone().unwrap_or_default();
        // A chapter is named where it begins.
        let name = if line.chapter == chapter { String::new() } else { line.chapter.clone() };
        chapter.clone_from(&line.chapter);
        let indent = "  ".repeat(usize::try_from(line.depth).unwrap_or_default());
        table.row([
            name.into(),
            format!("{indent}{}", record.r#type).into(),
            words::time(record.time.as_ref()).into(),
            words::actor(record.actor.as_ref()).into(),
            words::or_dash(&record.outcome).into(),
            words::shortened(&record.reason).into(),
            record.sequence.to_string().into(),
        ]);
    }
    table.print(screen, "no events")
}
