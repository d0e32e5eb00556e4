//! `muster schedule list`.

use clap::Args;
use muster_domain::pb::schedule::v1::{ListSchedulesRequest, ListSchedulesResponse};

use super::{of, state};
use crate::client::{
    error::CliError,
    get::{follows, next_page},
    output::{
        Screen,
        style::Tone,
        table::{Cell, Table},
        words,
    },
    session::Session,
};

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Those of this resource.
    #[arg(long, default_value = "", hide_default_value = true)]
    resource: String,
}

pub(super) async fn run(args: ListArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let mut all = ListSchedulesResponse::default();
    let (mut token, mut pages) = (Some(String::new()), 0);
    while let Some(after) = token {
        let ask = ListSchedulesRequest {
            tenant: session.tenant(),
            resource: args.resource.clone(),
            page: next_page(after),
            min_version: 0,
        };
        let answer = session.schedules().list_schedules(session.ask(ask)).await?.into_inner();
        all.schedules.extend(answer.schedules);
        pages += 1;
        token = follows(answer.page, pages, screen)?;
    }
    if !screen.is_table() {
        return screen.value(&all);
    }
    let mut table = Table::new(&["NAME", "WHAT", "OF", "WHEN", "NEXT (UTC)", "LAST", "LAST SUCCESS", "OVERDUE"]);
    for found in &all.schedules {
        let spec = found.spec.clone().unwrap_or_default();
        table.row([
            found.name.as_str().into(),
            spec.what.as_str().into(),
            of(&spec).into(),
            words::shortened(&found.in_words).into(),
            words::time(found.next_due_at.as_ref()).into(),
            found.latest.as_ref().map_or_else(|| "-".into(), |latest| state(latest.state())),
            words::time(found.last_success_at.as_ref()).into(),
            if found.overdue { Cell::toned(Tone::Bad, "OVERDUE") } else { "no".into() },
        ]);
    }
    table.print(screen, "no schedules; docs/schedules.md has samples")
}
