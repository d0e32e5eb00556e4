//! What is pressed in Slack. It decides nothing: the button opens the page. What comes here is checked and recorded, so
//! that a message that got into other hands is seen.
//!
//! Source: contracts/slack.md, interactivity; the raw body is verified before anything reads it.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use muster_domain::delivery::chat_binding::binding_id;
use muster_domain::delivery::{ChatBinding, routing};
use muster_domain::pb::common::v1::{Actor, ActorKind};
use muster_domain::pb::request::v1::IntentDecision;
use muster_domain::request::intent::{self, Intent};
use muster_domain::{AggregateId, Refusal, TenantId};
use muster_eventlog::{LogError, Meta};
use muster_runtime::Context;
use muster_runtime::secrets::Owner;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::super::link::DECIDE;
use super::app_of;
use super::seen::Seen;
use crate::channels::slack::verify;
use crate::routes::Routes;

const PATH: &str = "/callbacks/slack/{tenant}";
/// A message with all its blocks.
const MAX_BODY_BYTES: usize = 256 * 1024;
const SIGNATURE: &str = "x-slack-signature";
const TIMESTAMP: &str = "x-slack-request-timestamp";
/// The actions of buttons that open somebody's own link: that of messages now, and that of older ones.
const OPENING: [&str; 2] = [DECIDE, "open"];

struct Interactions {
    ctx: Context,
    routes: Routes,
    seen: Seen,
}

pub(crate) fn router(ctx: &Context, routes: &Routes) -> Router {
    let state = Arc::new(Interactions { ctx: ctx.clone(), routes: routes.clone(), seen: Seen::default() });
    Router::new().route(PATH, post(receive)).layer(DefaultBodyLimit::max(MAX_BODY_BYTES)).with_state(state)
}

#[derive(Deserialize)]
struct Form {
    payload: String,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "type")]
    kind: String,
    team: Team,
    user: User,
    #[serde(default)]
    actions: Vec<Action>,
}

#[derive(Deserialize)]
struct Team {
    id: String,
}

#[derive(Deserialize)]
struct User {
    id: String,
    #[serde(default)]
    team_id: String,
}

#[derive(Deserialize)]
struct Action {
    action_id: String,
    /// The intent's id: a handle, and no authority.
    #[serde(default)]
    value: String,
}

async fn receive(
    State(interactions): State<Arc<Interactions>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let Ok(tenant) = tenant.parse::<TenantId>() else { return StatusCode::UNAUTHORIZED };
    if !interactions.is_from_slack(&tenant, &headers, &body) {
        return StatusCode::UNAUTHORIZED;
    }
    let form: Option<Form> = url::form_urlencoded::parse(&body)
        .find(|(name, _)| name == "payload")
        .map(|(_, payload)| Form { payload: payload.into_owned() });
    let payload = form.and_then(|form| serde_json::from_str::<Payload>(&form.payload).ok());
    let Some(payload) = payload else { return StatusCode::BAD_REQUEST };
    match interactions.pressed(&tenant, &payload).await {
        Ok(()) => StatusCode::OK,
        Err(error) => {
            tracing::error!(%tenant, %error, "what was pressed in Slack could not be recorded");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

impl Interactions {
    /// By the signing secret of the tenant's own app, now, and not played again.
    fn is_from_slack(&self, tenant: &TenantId, headers: &HeaderMap, body: &[u8]) -> bool {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let reference = self
            .routes
            .with_documents(tenant, |documents| app_of(documents).map(|(_, app)| app.signing_secret_ref.clone()))
            .flatten();
        let Some(reference) = reference else { return false };
        let secret = match self.ctx.secrets.resolve(Owner::Tenant(tenant), &reference) {
            Ok(secret) => secret,
            Err(error) => {
                tracing::error!(%tenant, %error, "calls from Slack cannot be verified");
                return false;
            }
        };
        // The old one too, while it is rotated: separated by white space, as for webhooks.
        let words = secret.expose_secret().split_whitespace();
        let secrets: Vec<SecretString> = words.map(|word| SecretString::from(word.to_owned())).collect();
        let now = self.ctx.clock.now();
        match verify(body, text(TIMESTAMP), text(SIGNATURE), &secrets, now) {
            Ok(()) => self.seen.is_new(text(SIGNATURE), now),
            Err(error) => {
                metrics::counter!("muster_slack_calls_refused_total").increment(1);
                tracing::warn!(%tenant, %error, "a call that says it is from Slack was refused");
                false
            }
        }
    }

    /// The person who was asked opens the page, and nothing is recorded. Anybody else is.
    async fn pressed(&self, tenant: &TenantId, payload: &Payload) -> Result<(), LogError> {
        let pressed = payload
            .actions
            .iter()
            .find(|action| OPENING.contains(&action.action_id.as_str()) && !action.value.is_empty());
        let (Some(action), "block_actions") = (pressed, payload.kind.as_str()) else { return Ok(()) };
        let Ok(id) = action.value.parse::<AggregateId>() else { return Ok(()) };
        let intent = self.ctx.log.load::<Intent>(tenant, &id).await?.state;
        let Some(issued) = &intent.issued else { return Ok(()) };
        // Somebody of another workspace in a shared channel is nobody here.
        let shared = !payload.user.team_id.is_empty() && payload.user.team_id != payload.team.id;
        let binding = binding_id(tenant.as_str(), routing::SLACK, &payload.team.id, &payload.user.id);
        let binding = self.ctx.log.load::<ChatBinding>(tenant, &AggregateId::from(binding)).await?.state;
        if !shared && binding.person() == Some(issued.person.as_str()) {
            return Ok(());
        }
        let who = actor(payload, &binding);
        let request_id = issued.request_id.parse().ok();
        self.keep(tenant, &id, &who, &intent::not_the_person(&who.name), request_id).await
    }

    async fn keep(
        &self,
        tenant: &TenantId,
        id: &AggregateId,
        who: &Actor,
        why: &Refusal,
        request_id: Option<uuid::Uuid>,
    ) -> Result<(), LogError> {
        let (event_id, time) = (self.ctx.clock.new_id(), self.ctx.clock.now());
        let correlation = request_id.unwrap_or(event_id);
        let meta = Meta { event_id, actor: who.clone(), time, correlation, causation: None };
        let decision = IntentDecision::Unspecified;
        let refused =
            |intent: &Intent| Ok::<_, Infallible>(intent::refused(intent, who, decision, why, routing::SLACK, time));
        match self.ctx.log.decide::<Intent, _>(tenant, id, &meta, refused).await {
            Ok(_) => Ok(()),
            Err(muster_eventlog::DecideError::Load(error)) => Err(error),
            Err(error) => {
                tracing::warn!(%tenant, %error, "a press in Slack is not kept");
                Ok(())
            }
        }
    }
}

/// The person behind the account, or the account itself, which holds no role.
fn actor(payload: &Payload, binding: &ChatBinding) -> Actor {
    let bound = binding.bound.as_ref().and_then(|bound| bound.person.clone());
    let account = format!("slack:{}/{}", payload.team.id, payload.user.id);
    let stranger = Actor { id: account.clone(), name: account, kind: ActorKind::Person.into(), roles: Vec::new() };
    bound.map_or(stranger, |person| Actor { roles: Vec::new(), ..person })
}
