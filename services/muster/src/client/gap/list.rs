//! `muster gap list`.

use clap::Args;
use muster_domain::pb::audit::v1::{Gap, ListGapsRequest, ListGapsResponse};

use super::{find::id_of, severity, state};
use crate::client::{
    error::CliError,
    get::{follows, next_page},
    output::{Screen, table::Table, words},
    session::Session,
};

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Closed ones too.
    #[arg(long)]
    all: bool,
    #[arg(long, default_value = "", hide_default_value = true)]
    resource: String,
    /// Those that this request's run showed; its whole id.
    #[arg(long, default_value = "", hide_default_value = true)]
    request: String,
}

pub(super) async fn run(args: ListArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let mut all = ListGapsResponse::default();
    let (mut token, mut pages) = (Some(String::new()), 0);
    while let Some(after) = token {
        let ask = ListGapsRequest {
            tenant: session.tenant(),
            include_closed: args.all,
            resource: args.resource.clone(),
            request_id: args.request.clone(),
            page: next_page(after),
            ..ListGapsRequest::default()
        };
        let answer = session.audit().list_gaps(session.ask(ask)).await?.into_inner();
        all.gaps.extend(answer.gaps);
        pages += 1;
        token = follows(answer.page, pages, screen)?;
    }
    if !screen.is_table() {
        return screen.value(&all);
    }
    let mut table = Table::new(&["ID", "SEVERITY", "STATE", "OF", "TITLE", "OPENED", "BY", "OWNER", "UNTIL"]);
    for gap in &all.gaps {
        let opened = gap.opened.clone().unwrap_or_default();
        let of = if opened.resource.is_empty() { &opened.group } else { &opened.resource };
        table.row([
            id_of(gap).into(),
            severity(gap),
            state(gap),
            words::or_dash(of).into(),
            words::shortened(&opened.title).into(),
            words::time(gap.opened_at.as_ref()).into(),
            gap.opened_by.as_str().into(),
            words::or_dash(&owner(gap)).into(),
            words::time(until(gap)).into(),
        ]);
    }
    table.print(screen, "no gaps")?;
    match all.gaps.iter().filter(|gap| gap.overdue).count() {
        0 => Ok(()),
        overdue => screen.note(&format!("{overdue} overdue: their date is over and nobody closed them")),
    }
}

fn owner(gap: &Gap) -> String {
    gap.planned.as_ref().map(|planned| planned.owner.clone()).unwrap_or_default()
}

/// When it is to be mended, or until when it is accepted.
fn until(gap: &Gap) -> Option<&muster_domain::time::PbTimestamp> {
    let accepted = gap.accepted.as_ref().and_then(|accepted| accepted.until.as_ref());
    accepted.or_else(|| gap.planned.as_ref().and_then(|planned| planned.due.as_ref()))
}
