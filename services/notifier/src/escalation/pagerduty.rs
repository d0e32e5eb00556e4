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
use futures::StreamExt;
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

use crate::channels::pagerduty::Keyed;
use crate::channels::pagerduty::webhook::verify;

use super::answer::{AnswerError, Answers, Said, via};

/// Where PagerDuty is told to send: the tenant and the route whose incidents they are.
const PATH: &str = "/notify/pagerduty/{tenant}/{route}";
/// An incident with all its fields has some kilobytes.
const MAX_BODY_BYTES: usize = 256 * 1024;
const SIGNATURE: &str = "x-pagerduty-signature";
const MAX_NAME_BYTES: usize = 100;
/// Alerts of one incident that one call acknowledges: PagerDuty waits 5 s for the answer, and each is some milliseconds.
const MAX_AT_ONCE: usize = 200;
const AT_A_TIME: usize = 8;
const LATER: (StatusCode, &str) = (StatusCode::SERVICE_UNAVAILABLE, "send it again");

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

/// The alerts of an incident, and what becomes of them.
async fn acknowledge(answers: &Answers, tenant: &TenantId, event: &Event) -> (StatusCode, &'static str) {
    let alerts = match alerts_of(answers, tenant, event.data.incident_key.as_deref().unwrap_or_default()).await {
        Ok(alerts) if alerts.is_empty() => return (StatusCode::ACCEPTED, "no open alert of this tenant has that key"),
        Ok(alerts) => alerts,
        Err(error) => {
            tracing::error!(%error, "open alerts cannot be read");
            return LATER;
        }
    };
    let all_there = alerts.len() < MAX_AT_ONCE;
    let each = alerts.into_iter().map(|alert| async move { acknowledge_one(answers, tenant, event, &alert).await });
    let said: Vec<Outcome> = futures::stream::iter(each).buffered(AT_A_TIME).collect().await;
    match said {
        said if said.contains(&Outcome::Failed) => LATER,
        said if said.contains(&Outcome::Acknowledged) && all_there => (StatusCode::OK, "acknowledged"),
        // It sends again what is not answered with 2xx, and then finds the rest.
        said if said.contains(&Outcome::Acknowledged) => LATER,
        _ => (StatusCode::ACCEPTED, "refused: it is not about what is open now"),
    }
}

async fn alerts_of(answers: &Answers, tenant: &TenantId, key: &str) -> Result<Vec<String>, sqlx::Error> {
    Ok(match Keyed::of(key, tenant.as_str()) {
        Some(Keyed::Alert { id: Some(id), .. }) => vec![id.to_owned()],
        Some(Keyed::Alert { resource, kind, id: None }) => {
            answers.open_alert(tenant, resource, kind).await?.into_iter().collect()
        }
        Some(Keyed::Group(group)) => answers.unanswered_in_group(tenant, group, MAX_AT_ONCE).await?,
        None => Vec::new(),
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Acknowledged,
    Refused,
    Failed,
}

async fn acknowledge_one(answers: &Answers, tenant: &TenantId, event: &Event, alert: &str) -> Outcome {
    let by = actor(event.agent.as_ref());
    let now = answers.ctx.clock.now();
    // The same call again is the same event.
    let event_id = derived_id(&["pagerduty", tenant.as_str(), alert, &event.id]);
    let correlation = alert.parse().unwrap_or(event_id);
    let meta = Meta { event_id, actor: by.clone(), time: now, correlation, causation: None };
    let said = Said { by: &by, via: via::PAGERDUTY, at: event.occurred_at, now };
    let note = clip(&format!("PagerDuty event {}", event.id), MAX_NAME_BYTES);
    match answers.acknowledge(tenant, alert, &said, &note, &meta).await {
        Ok(_) => Outcome::Acknowledged,
        Err(AnswerError::Decide(DecideError::Refused(refusal))) => {
            tracing::info!(%tenant, alert, code = refusal.code, "an acknowledgement from PagerDuty was refused");
            Outcome::Refused
        }
        Err(error) => {
            tracing::error!(%tenant, alert, %error, "an acknowledgement could not be recorded");
            Outcome::Failed
        }
    }
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
