//! `muster notify test`: a test on a route, until it is known what became of it.

use std::time::Duration;

use clap::Args;
use muster_domain::pb::notification::v1::{
    DeliveryState, DeliveryView, ListDeliveriesRequest, ListDeliveriesResponse, TestRouteRequest, TestRouteResponse,
};

use super::list::{fetch, print};
use crate::client::{error::CliError, exit::Exit, output::Screen, session::Session};

const ASK_EVERY: Duration = Duration::from_millis(300);

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// The notification route. One that wakes the production on-call is tested by an Admin only.
    route: String,
    /// How long to wait for the outcome, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    wait: u64,
}

pub(super) async fn run(args: TestArgs, session: &Session, screen: &Screen) -> Result<Exit, CliError> {
    let ask = TestRouteRequest {
        tenant: session.tenant(),
        route: args.route.clone(),
        idempotency_key: session.idempotency_key(),
    };
    let sent = session.notifier().test_route(session.ask(ask)).await?.into_inner();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(args.wait);
    let deliveries = loop {
        let found = look(&args.route, &sent, session, screen).await?;
        let known = found.len() == sent.delivery_ids.len() && found.iter().all(is_known);
        if known || tokio::time::Instant::now() >= deadline {
            break found;
        }
        tokio::time::sleep(ASK_EVERY).await;
    };
    if screen.is_table() {
        print(&deliveries, screen)?;
    } else {
        screen.value(&ListDeliveriesResponse { deliveries: deliveries.clone(), page: None })?;
    }
    let accepted = deliveries.iter().filter(|delivery| delivery.state() == DeliveryState::Accepted).count();
    if accepted == sent.delivery_ids.len() && accepted > 0 {
        return Ok(Exit::Done);
    }
    screen.note(&format!("{accepted} of {} were accepted by the far side", sent.delivery_ids.len()))?;
    Ok(Exit::Failed)
}

async fn look(
    route: &str,
    sent: &TestRouteResponse,
    session: &Session,
    screen: &Screen,
) -> Result<Vec<DeliveryView>, CliError> {
    let ask = ListDeliveriesRequest { route: route.to_owned(), ..ListDeliveriesRequest::default() };
    let found = fetch(ask, session, screen).await?;
    Ok(found.deliveries.into_iter().filter(|d| sent.delivery_ids.contains(&d.delivery_id)).collect())
}

/// Nothing more has to be waited for: what is tried again later is shown as that.
fn is_known(delivery: &DeliveryView) -> bool {
    delivery.finished_at.is_some() || matches!(delivery.state(), DeliveryState::Retrying | DeliveryState::Held)
}
