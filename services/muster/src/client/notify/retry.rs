//! `muster notify retry`.

use clap::Args;
use muster_domain::pb::notification::v1::RetryDeliveryRequest;

use crate::client::{error::CliError, output::Screen, session::Session};

#[derive(Debug, Args)]
pub(crate) struct RetryArgs {
    /// The delivery's id: `muster notify list --state gave-up` shows them.
    id: String,
}

pub(super) async fn run(args: RetryArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let ask = RetryDeliveryRequest {
        tenant: session.tenant(),
        delivery_id: args.id.clone(),
        idempotency_key: session.idempotency_key(),
    };
    let answer = session.notifier().retry_delivery(session.ask(ask)).await?.into_inner();
    if !screen.is_table() {
        return screen.value(&answer);
    }
    screen.line(&format!("{} is sent again", args.id))
}
