//! Where a message leads, made at the moment of sending.

use muster_domain::TenantId;
use muster_domain::delivery::{Failure, FailureCode, Message, personal};
use muster_domain::request::intent::Intent;
use muster_runtime::{Context, IntentLinks};

/// The page of what the message is about, or the intent of the one person it is for.
pub(crate) async fn link(ctx: &Context, tenant: &TenantId, route: &str, message: &Message) -> Result<String, Failure> {
    let public_url = ctx.config.server.public_url.trim_end_matches('/');
    let page = format!("{public_url}{}", message.console_path());
    // Whatever a message says, nobody else's route carries a link of somebody.
    if message.intent_id.is_empty() || !personal::is_personal_route(route) {
        return Ok(page);
    }
    let failed = |what: String| Failure::new(FailureCode::Misconfigured, what);
    let id = message.intent_id.parse().map_err(|error| failed(format!("the message's intent: {error}")))?;
    let intent = ctx.log.load::<Intent>(tenant, &id).await;
    let intent = intent.map_err(|error| Failure::new(FailureCode::Unreachable, format!("the record: {error}")))?;
    let Some(issued) = intent.state.issued else { return Ok(page) };
    let token = IntentLinks::new(&ctx.config.approval, ctx.secrets.clone()).sign(tenant, &issued);
    let token = token.map_err(|error| failed(error.to_string()))?;
    Ok(token.map_or(page, |token| format!("{public_url}/intent/{token}")))
}
