//! A message of its own on a route, through everything that a real one goes through.

use muster_domain::Refusal;
use muster_domain::delivery::routing::route as decide;
use muster_domain::delivery::{Source, delivery_id, route_test};
use muster_domain::pb::common::v1::Role;
use muster_domain::pb::notification::v1::{TestRouteRequest, TestRouteResponse};
use muster_domain::refusal::{field_refusal, refusal};
use muster_runtime::{Call, IntoStatus, refused, unavailable};
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
    let mut message = route_test::message(&source, route, &call.actor);
    if route_test::wakes_on_call(&decide(&message, &routes)) {
        // Whoever wakes the on-call to try a route answers for it.
        if !call.actor.roles().any(|role| role == Role::Admin) {
            return Err(outbox.ctx.deny(&call, &wakes_on_call(route), "", "").await);
        }
        message = route_test::of_production(message);
    }
    let cause = Cause { correlation: meta.correlation, event: meta.event_id };
    outbox.tell(&call.tenant, &message, cause, &Narrowing::default()).await.map_err(|error| {
        tracing::error!(tenant = %call.tenant, route, %error, "a test could not be queued");
        unavailable("the queue of deliveries", "repeat the call with the same idempotency key")
    })?;
    let ids = decide(&message, &routes).into_iter();
    let ids =
        ids.map(|d| delivery_id(call.tenant.as_str(), message.event_id, &d.route, &d.recipient.shown).to_string());
    let version = outbox.ctx.log.last_sequence(&call.tenant).await.map_err(IntoStatus::into_status)?;
    Ok(TestRouteResponse { delivery_ids: ids.collect(), version })
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
