//! A message of its own on a route, through everything that a real one goes through.

use muster_domain::Refusal;
use muster_domain::delivery::message::kind;
use muster_domain::delivery::routing::{route as decide, rule};
use muster_domain::delivery::{Message, Severity, Source, Verdict, delivery_id};
use muster_domain::pb::common::v1::{Environment, Role};
use muster_domain::pb::notification::v1::{TestRouteRequest, TestRouteResponse};
use muster_domain::refusal::{field_refusal, refusal};
use muster_runtime::{Call, refused, unavailable};
use tonic::Status;

use crate::outbox::{Cause, Narrowing, Outbox};

pub(super) async fn test(outbox: &Outbox, call: Call<TestRouteRequest>) -> Result<TestRouteResponse, Status> {
    let (ask, call) = call.split();
    outbox.routes.caught_up().await;
    let routes = outbox.routes.of(&call.tenant);
    let route = ask.route.trim();
    if !routes.iter().any(|declared| declared.name == route) {
        return Err(refused(&unknown(route)));
    }
    let meta = call.meta(&ask.idempotency_key)?;
    let source =
        Source { tenant: call.tenant.to_string(), event_id: meta.event_id, sequence: 0, occurred_at: call.now };
    let mut message = test_message(&source, route, &call.actor.name);
    let decisions = decide(&message, &routes);
    let wakes = decisions.iter().any(|d| d.verdict == Verdict::Suppress(rule::ON_CALL_IS_FOR_PRODUCTION));
    if wakes {
        // Whoever wakes the on-call to try a route answers for it.
        if !call.actor.roles().any(|role| role == Role::Admin) {
            return Err(outbox.ctx.deny(&call, &wakes_on_call(route), "", "").await);
        }
        message.environment = Environment::Production;
    }
    let cause = Cause { correlation: meta.correlation, event: meta.event_id };
    outbox.tell(&call.tenant, &message, cause, &Narrowing::default()).await.map_err(|error| {
        tracing::error!(tenant = %call.tenant, route, %error, "a test could not be queued");
        unavailable("the queue of deliveries", "repeat the call with the same idempotency key")
    })?;
    let ids = decide(&message, &routes).into_iter();
    let ids =
        ids.map(|d| delivery_id(call.tenant.as_str(), message.event_id, &d.route, &d.recipient.shown).to_string());
    Ok(TestRouteResponse { delivery_ids: ids.collect(), version: 0 })
}

/// It is about no system, so its environment is not known: the on-call is not for it, unless somebody says so.
fn test_message(source: &Source, route: &str, who: &str) -> Message {
    let unknown = Environment::Unspecified.into();
    let mut message = Message::about(source, kind::ROUTE_TEST, "", 0, unknown);
    message.severity = Severity::Info;
    message.test = true;
    message.only_routes = vec![route.to_owned()];
    message.set_subject(&format!("TEST of route {route}"));
    message.set_summary(&format!("{who} tries the route {route}. Nothing has happened, and nothing has to be done."));
    message.fact("Asked for by", who);
    message.next_step = "Nothing. If you expected a test: this way works.".into();
    message
}

fn unknown(route: &str) -> Refusal {
    field_refusal(
        "route",
        "ROUTE_NOT_FOUND",
        "a declared notification route of this tenant",
        route.chars().take(80).collect::<String>(),
        "the name of a route",
        "list them with `muster get routes`",
    )
}

fn wakes_on_call(route: &str) -> Refusal {
    refusal(
        "ROUTE_TEST_WAKES_ON_CALL",
        "the production on-call is woken for a test by an Admin only",
        route,
        "routes that lead to nobody of the on-call, or the role Admin",
        "ask an Admin to test it, and tell the on-call before",
    )
}
