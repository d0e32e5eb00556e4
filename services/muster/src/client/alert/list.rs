//! `muster alert list`.

use clap::Args;
use muster_domain::pb::notification::v1::{EscalationView, ListEscalationsRequest, ListEscalationsResponse};

use crate::client::{
    error::CliError,
    get::{follows, next_page},
    output::{Screen, table::Table, words},
    session::Session,
};

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Those of one system.
    #[arg(long, default_value = "", hide_default_value = true)]
    resource: String,
    /// Those that are over, too.
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(args: ListArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let all = fetch(&args.resource, args.all, session, screen).await?;
    if !screen.is_table() {
        return screen.value(&all);
    }
    let mut table = Table::new(&["ID", "SEVERITY", "SYSTEM", "TIER", "WHAT", "SINCE", "LOOKED AFTER BY", "NEXT"]);
    for alert in &all.escalations {
        table.row([
            alert.alert_id.as_str().into(),
            alert.severity.as_str().into(),
            alert.resource.as_str().into(),
            words::tier(alert.tier()).into(),
            alert.message_kind.as_str().into(),
            words::time(alert.opened_at.as_ref()).into(),
            who(alert).into(),
            next(alert).into(),
        ]);
    }
    table.print(screen, "no open alerts")
}

/// All alerts, page after page.
pub(super) async fn fetch(
    resource: &str,
    include_ended: bool,
    session: &Session,
    screen: &Screen,
) -> Result<ListEscalationsResponse, CliError> {
    let mut all = ListEscalationsResponse::default();
    let (mut token, mut pages) = (Some(String::new()), 0);
    while let Some(after) = token {
        let ask = ListEscalationsRequest {
            tenant: session.tenant(),
            resource: resource.to_owned(),
            include_ended,
            page: next_page(after),
            ..ListEscalationsRequest::default()
        };
        let answer = session.notifier().list_escalations(session.ask(ask)).await?.into_inner();
        all.escalations.extend(answer.escalations);
        pages += 1;
        token = follows(answer.page, pages, screen)?;
    }
    Ok(all)
}

fn who(alert: &EscalationView) -> String {
    match &alert.acknowledged {
        Some(said) => format!("{} ({})", words::actor(said.by.as_ref()), said.via),
        None => "nobody".to_owned(),
    }
}

/// What happens next when nobody does anything.
fn next(alert: &EscalationView) -> String {
    if alert.ended_at.is_some() {
        return "over".to_owned();
    }
    let Some(at) = &alert.next_at else { return "-".to_owned() };
    let whom = if alert.next_routes.is_empty() { "the same again".to_owned() } else { alert.next_routes.join(", ") };
    format!("{whom} at {}", words::time(Some(at)))
}
