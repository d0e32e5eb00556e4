//! Where a message leads, made at the moment of sending.

use muster_domain::TenantId;
use muster_domain::delivery::{Failure, FailureCode, Message, personal};
use muster_domain::request::intent::Intent;
use muster_runtime::{Context, IntentLinks};

use super::chat::is_opted_in;
use crate::channels::{Button, Look};
use crate::routes::Routes;

/// The button's name, which comes back when it is pressed.
pub(super) const DECIDE: &str = "decide";

/// Where a message leads.
#[derive(Debug, Clone)]
pub(crate) struct Ways {
    pub(crate) link: String,
    /// For channels that have some.
    pub(crate) buttons: Vec<Button>,
}

/// The page of what the message is about, or the intent of the one person it is for. In a chat that is a button, as long
/// as the tenant's policies allow it for the tier, now; it opens the page, and decides nothing (docs/adr/0009).
pub(crate) async fn ways(
    ctx: &Context,
    routes: &Routes,
    tenant: &TenantId,
    route: &str,
    message: &Message,
) -> Result<Ways, Failure> {
    let public_url = ctx.config.server.public_url.trim_end_matches('/');
    let page = Ways { link: format!("{public_url}{}", message.console_path()), buttons: Vec::new() };
    // Whatever a message says, nobody else's route carries a link of somebody.
    if message.intent_id.is_empty() || !personal::is_personal_route(route) {
        return Ok(page);
    }
    let by_chat = personal::is_chat_route(route);
    let allowed = || routes.with_documents(tenant, |documents| is_opted_in(documents, message.tier)).unwrap_or(false);
    if by_chat && !allowed() {
        return Ok(page);
    }
    let Some(token) = token(ctx, tenant, message).await? else { return Ok(page) };
    let link = format!("{public_url}/intent/{token}");
    let buttons = if by_chat { vec![decide(message, &link)] } else { Vec::new() };
    Ok(Ways { link, buttons })
}

/// `None`: there is no such intent, or no key to sign with.
async fn token(ctx: &Context, tenant: &TenantId, message: &Message) -> Result<Option<String>, Failure> {
    let failed = |what: String| Failure::new(FailureCode::Misconfigured, what);
    let id = message.intent_id.parse().map_err(|error| failed(format!("the message's intent: {error}")))?;
    let intent = ctx.log.load::<Intent>(tenant, &id).await;
    let intent = intent.map_err(|error| Failure::new(FailureCode::Unreachable, format!("the record: {error}")))?;
    let Some(issued) = intent.state.issued else { return Ok(None) };
    let token = IntentLinks::new(&ctx.config.approval, ctx.secrets.clone()).sign(tenant, &issued);
    token.map_err(|error| failed(error.to_string()))
}

/// One button and not two: which of both was pressed would say nothing, since the page asks.
fn decide(message: &Message, link: &str) -> Button {
    let text = if message.language == "de" { "Ansehen und entscheiden" } else { "Review and decide" };
    Button {
        action: DECIDE.to_owned(),
        text: text.to_owned(),
        value: message.intent_id.clone(),
        url: link.to_owned(),
        look: Look::Primary,
    }
}
