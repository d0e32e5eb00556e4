//! `muster notify list`, and the same for one request.

use clap::{Args, ValueEnum};
use muster_domain::pb::notification::v1::{DeliveryState, DeliveryView, ListDeliveriesRequest, ListDeliveriesResponse};

use crate::client::{
    error::CliError,
    get::{follows, next_page},
    output::{
        Screen,
        table::{Cell, Table},
        words,
    },
    session::Session,
};

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// About one request; its whole id.
    #[arg(long, default_value = "", hide_default_value = true)]
    request: String,
    #[arg(long, default_value = "", hide_default_value = true)]
    resource: String,
    #[arg(long, default_value = "", hide_default_value = true)]
    route: String,
    /// About one alert; its whole id.
    #[arg(long, default_value = "", hide_default_value = true)]
    alert: String,
    /// In these states; several are possible.
    #[arg(long, value_enum)]
    state: Vec<State>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum State {
    Pending,
    Accepted,
    Retrying,
    GaveUp,
    Suppressed,
    Held,
    Grouped,
}

impl From<State> for DeliveryState {
    fn from(state: State) -> Self {
        match state {
            State::Pending => Self::Pending,
            State::Accepted => Self::Accepted,
            State::Retrying => Self::Retrying,
            State::GaveUp => Self::GaveUp,
            State::Suppressed => Self::Suppressed,
            State::Held => Self::Held,
            State::Grouped => Self::Grouped,
        }
    }
}

pub(super) async fn run(args: ListArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let ask = ListDeliveriesRequest {
        request_id: args.request,
        resource: args.resource,
        route: args.route,
        alert_id: args.alert,
        states: args.state.into_iter().map(|state| DeliveryState::from(state).into()).collect(),
        ..ListDeliveriesRequest::default()
    };
    let all = fetch(ask, session, screen).await?;
    if !screen.is_table() {
        return screen.value(&all);
    }
    print(&all.deliveries, screen)
}

pub(super) async fn fetch(
    ask: ListDeliveriesRequest,
    session: &Session,
    screen: &Screen,
) -> Result<ListDeliveriesResponse, CliError> {
    let mut all = ListDeliveriesResponse::default();
    let (mut token, mut pages) = (Some(String::new()), 0);
    while let Some(after) = token {
        let ask = ListDeliveriesRequest { tenant: session.tenant(), page: next_page(after), ..ask.clone() };
        let answer = session.notifier().list_deliveries(session.ask(ask)).await?.into_inner();
        all.deliveries.extend(answer.deliveries);
        pages += 1;
        token = follows(answer.page, pages, screen)?;
    }
    Ok(all)
}

pub(super) fn print(deliveries: &[DeliveryView], screen: &Screen) -> Result<(), CliError> {
    let mut table =
        Table::new(&["ID", "STATE", "WHEN", "ROUTE", "CHANNEL", "WHO", "MESSAGE", "TRIES", "WHAT WAS SAID"]);
    for delivery in deliveries {
        table.row([
            delivery.delivery_id.as_str().into(),
            words::delivery_state(delivery.state()),
            words::time(delivery.finished_at.as_ref().or(delivery.queued_at.as_ref())).into(),
            delivery.route.as_str().into(),
            delivery.channel.as_str().into(),
            who(delivery).into(),
            message(delivery).into(),
            delivery.attempts.to_string().into(),
            Cell::from(outcome(delivery)),
        ]);
    }
    table.print(screen, "nobody was told anything")
}

/// The lines of `muster request show`.
pub(crate) async fn of_request(request_id: &str, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let ask = ListDeliveriesRequest { request_id: request_id.to_owned(), ..ListDeliveriesRequest::default() };
    let all = fetch(ask, session, screen).await?;
    screen.line("")?;
    screen.heading("who was told")?;
    for delivery in all.deliveries.iter().rev() {
        let at = words::time(delivery.finished_at.as_ref().or(delivery.queued_at.as_ref()));
        let said = outcome(delivery);
        let said = if said.is_empty() { said } else { format!(": {said}") };
        let text = format!("{at} {} by {}, {}{said}", who(delivery), delivery.channel, delivery.message_kind);
        screen.field("told", text)?;
    }
    if all.deliveries.is_empty() { screen.field("told", "nobody") } else { Ok(()) }
}

fn who(delivery: &DeliveryView) -> String {
    let to = words::or_dash(&delivery.recipient);
    if delivery.person.is_empty() { to } else { format!("{to} ({})", delivery.person) }
}

fn message(delivery: &DeliveryView) -> String {
    let again = match delivery.repetition {
        0 => String::new(),
        times => format!(" (again, {times})"),
    };
    format!("{} {}{again}", delivery.message_kind, delivery.subject)
}

/// Why not, or what the far side answered.
pub(super) fn outcome(delivery: &DeliveryView) -> String {
    let said = [&delivery.rule, &delivery.last_error, &delivery.receipt].into_iter().find(|text| !text.is_empty());
    match delivery.state() {
        DeliveryState::Accepted => delivery.receipt.clone(),
        DeliveryState::Grouped => format!("told in {}", delivery.grouped_into),
        _ => said.cloned().unwrap_or_default(),
    }
}
