//! An acknowledgement in PagerDuty is an acknowledgement here: who looks after a page there is not paged again.
//!
//! It is never an approval, and what else happens to an incident there changes nothing here. The signature is checked
//! on the bytes as they came. It carries no time, so a recorded call could be played again: it then says when it was
//! said, and that is before the alert that is open now. Source: contracts/pagerduty.md, webhooks v3.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use jiff::Timestamp;
use muster_domain::TenantId;
use muster_domain::delivery::message::clip;
use muster_domain::ids::derived_id;
use muster_domain::pb::common::v1::{Actor, ActorKind};
use muster_domain::pb::inventory::v1::{PagerdutyChannel, notification_route_spec::Channel};
use muster_eventlog::{DecideError, Meta};
use muster_runtime::secrets::Owner;
use secrecy::SecretString;
use serde::Deserialize;

use crate::channels::pagerduty::webhook::verify;

use super::answer::{AnswerError, Answers, Said, via};

/// Where PagerDuty is told to send: the tenant and the route whose incidents they are.
const PATH: &str = "/notify/pagerduty/{tenant}/{route}";
/// An incident with all its fields has some kilobytes.
const MAX_BODY_BYTES: usize = 256 * 1024;
const SIGNATURE: &str = "x-pagerduty-signature";
const MAX_NAME_BYTES: usize = 100;

pub(crate) fn router(answers: Answers) -> Router {
    Router::new().route(PATH, post(receive)).layer(DefaultBodyLimit::max(MAX_BODY_BYTES)).with_state(answers)
}

#[derive(Deserialize)]
struct Envelope {
    event: Event,
}

#[derive(Deserialize)]
struct Event {
    id: String,
    event_type: String,
    occurred_at: Timestamp,
    agent: Option<Agent>,
    #[serde(default)]
    data: Data,
}

#[derive(Deserialize)]
struct Agent {
    id: String,
    #[serde(default)]
    summary: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Data {
    /// Our own key, for incidents with one alert.
    incident_key: Option<String>,
}

/// 2xx: do not send it again. Whoever cannot sign learns nothing, not even whether the tenant exists.
async fn receive(
    State(answers): State<Answers>,
    Path((tenant, route)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    const UNSIGNED: (StatusCode, &str) = (StatusCode::UNAUTHORIZED, "not signed with the secret of this route");
    let Ok(tenant) = tenant.parse::<TenantId>() else { return UNSIGNED };
    let Some(secret) = secret_of(&answers, &tenant, &route).await else { return UNSIGNED };
    let signatures = headers.get(SIGNATURE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if let Err(error) = verify(&body, signatures, &[secret]) {
        tracing::warn!(%tenant, route, %error, "a call that claims to be from PagerDuty is refused");
        return UNSIGNED;
    }
    let Ok(Envelope { event }) = serde_json::from_slice(&body) else {
        return (StatusCode::BAD_REQUEST, "not an event of webhooks v3");
    };
    if event.event_type != "incident.acknowledged" {
        return (StatusCode::ACCEPTED, "nothing to do");
    }
    acknowledge(&answers, &tenant, &event).await
}

async fn secret_of(answers: &Answers, tenant: &TenantId, route: &str) -> Option<SecretString> {
    answers.routes.caught_up().await;
    let routes = answers.routes.of(tenant);
    let Some(Channel::Pagerduty(PagerdutyChannel { webhook_secret_ref, .. })) =
        routes.into_iter().find(|declared| declared.name == route)?.spec.channel
    else {
        return None;
    };
    if webhook_secret_ref.is_empty() {
        return None;
    }
    let secret = answers.ctx.secrets.resolve(Owner::Tenant(tenant), &webhook_secret_ref);
    secret.inspect_err(|error| tracing::error!(%tenant, route, %error, "a webhook secret cannot be read")).ok()
}

async fn acknowledge(answers: &Answers, tenant: &TenantId, event: &Event) -> (StatusCode, &'static str) {
    const NOT_OURS: (StatusCode, &str) = (StatusCode::ACCEPTED, "no open alert of this tenant has that key");
    const LATER: (StatusCode, &str) = (StatusCode::SERVICE_UNAVAILABLE, "send it again");
    let Some((resource, kind)) = event.data.incident_key.as_deref().and_then(|key| ours(key, tenant)) else {
        return NOT_OURS;
    };
    let alert = match answers.open_alert(tenant, resource, kind).await {
        Ok(Some(alert)) => alert,
        Ok(None) => return NOT_OURS,
        Err(error) => {
            tracing::error!(%error, "open alerts cannot be read");
            return LATER;
        }
    };
    let by = actor(event.agent.as_ref());
    let now = answers.ctx.clock.now();
    // The same call again is the same event.
    let event_id = derived_id(&["pagerduty", tenant.as_str(), &alert, &event.id]);
    let correlation = alert.parse().unwrap_or(event_id);
    let meta = Meta { event_id, actor: by.clone(), time: now, correlation, causation: None };
    let said = Said { by: &by, via: via::PAGERDUTY, at: event.occurred_at, now };
    let note = clip(&format!("PagerDuty event {}", event.id), MAX_NAME_BYTES);
    match answers.acknowledge(tenant, &alert, &said, &note, &meta).await {
        Ok(_) => (StatusCode::OK, "acknowledged"),
        Err(AnswerError::Decide(DecideError::Refused(refusal))) => {
            tracing::info!(%tenant, alert, code = refusal.code, "an acknowledgement from PagerDuty was refused");
            (StatusCode::ACCEPTED, "refused: it is not about the alert that is open now")
        }
        Err(error) => {
            tracing::error!(%tenant, alert, %error, "an acknowledgement could not be recorded");
            LATER
        }
    }
}

/// "muster/{tenant}/{resource}/{kind}", as the channel writes it.
fn ours<'a>(key: &'a str, tenant: &TenantId) -> Option<(&'a str, &'a str)> {
    let (resource, kind) =
        key.strip_prefix("muster/")?.strip_prefix(tenant.as_str())?.strip_prefix('/')?.split_once('/')?;
    (!resource.is_empty() && !kind.is_empty()).then_some((resource, kind))
}

/// Somebody whom PagerDuty knows and Muster does not: no person who could decide anything here.
fn actor(agent: Option<&Agent>) -> Actor {
    let (id, name) = agent.map_or(("unknown", ""), |agent| (agent.id.as_str(), agent.summary.as_str()));
    let name = if name.is_empty() { "somebody in PagerDuty" } else { name };
    Actor {
        id: clip(&format!("pagerduty:{id}"), MAX_NAME_BYTES),
        name: clip(name, MAX_NAME_BYTES),
        kind: ActorKind::Machine.into(),
        roles: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn only_keys_of_the_tenant_are_ours() {
        let acme: TenantId = "acme".parse().unwrap();
        assert_eq!(ours("muster/acme/orders-db/rpo.breached", &acme), Some(("orders-db", "rpo.breached")));
        for other in
            ["muster/acme2/orders-db/rpo.breached", "muster/acme//x", "muster/acme/x/", "acme/x/y", "", "muster/acme/x"]
        {
            assert_eq!(ours(other, &acme), None, "{other}");
        }
    }
}
