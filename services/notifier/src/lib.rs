//! Tells people and machines what happened, by the tenant's routes, and keeps a record of it.
//!
//! The log's events become messages (`reactor`), messages become queued deliveries (`outbox`), timers make
//! the attempts (`worker`) through the `channels`. What is told and to whom is decided in
//! `muster_domain::delivery`.
//!
//! Architecture Invariant: a message can never approve, start or stop anything. It carries a link to a page
//! that asks for a login.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod api;
mod approvals;
mod calendar;
pub mod channels;
mod dead_letters;
mod ends;
mod escalation;
mod fallback;
mod groups;
mod lanes;
mod outbox;
mod parcel;
mod projection;
mod reactor;
mod recipients;
mod routes;
mod standing;
mod templates;
mod told;
mod worker;

use std::sync::Arc;

use muster_domain::pb::notification::v1::notifier_service_server::NotifierServiceServer;
use muster_eventlog::{Migration, Projection, Schema, run_projection, run_reactor, run_timers};
use muster_runtime::{Context, Service};

use channels::{Channel, SetupError};
use lanes::Lane;

/// The service's name, in records and in `muster run`.
pub const NAME: &str = "notifier";

/// The read model's tables.
pub const MIGRATIONS: Schema = Schema {
    name: "notifier",
    migrations: &[
        Migration { name: "0001_deliveries", sql: include_str!("../../../migrations/notifier/0001_deliveries.sql") },
        Migration { name: "0002_escalations", sql: include_str!("../../../migrations/notifier/0002_escalations.sql") },
        Migration {
            name: "0003_held_and_grouped",
            sql: include_str!("../../../migrations/notifier/0003_held_and_grouped.sql"),
        },
    ],
};

/// The read models that can be rebuilt from the log.
pub fn projections() -> Vec<Arc<dyn Projection>> {
    vec![Arc::new(projection::Deliveries), Arc::new(escalation::projection::Escalations)]
}

/// The whole service with every channel.
pub async fn service(ctx: &Context) -> Result<Service, SetupError> {
    Ok(service_with(ctx, channels::all(&ctx.config, &ctx.secrets)?))
}

/// The service with other channels than the configured ones.
pub fn service_with(ctx: &Context, channels: Vec<Arc<dyn Channel>>) -> Service {
    let routes = routes::Routes::follow(&ctx.log, ctx.secrets.clone(), ctx.shutdown.clone());
    let outbox = outbox::Outbox::new(ctx.clone(), routes.clone());
    let messages = Arc::new(reactor::Messages { ctx: ctx.clone(), log: ctx.log.clone(), outbox: outbox.clone() });
    let answers = escalation::answer::Answers { ctx: ctx.clone(), routes: routes.clone() };
    let binder = approvals::chat::Binder::new(ctx, &routes);
    let api = api::Api { ctx: ctx.clone(), answers: answers.clone(), outbox: outbox.clone(), binder };
    let escalating = escalation::Parts { ctx: ctx.clone(), outbox: outbox.clone(), answers };
    let worker = Arc::new(worker::Worker::new(ctx.clone(), outbox.clone(), channels));

    let (log, db, stop) = (ctx.log.clone(), ctx.db.clone(), ctx.shutdown.clone());
    let react = move || run_reactor(log.clone(), db.clone(), messages.clone(), stop.clone());
    let attempt = |lane: Lane| {
        let worker = worker.clone();
        move || worker.clone().run_timers(lane)
    };
    let (direct, stop) = (worker.clone(), ctx.shutdown.clone());
    let first_attempts = move || direct.clone().run_first_attempts(stop.clone());
    let late = fallback::Late::new(outbox.clone());
    let (log, stop) = (ctx.log.clone(), ctx.shutdown.clone());
    let other_ways = move || run_timers(log.clone(), fallback::TIMERS, late.clone(), stop.clone());
    let (log, db, stop) = (ctx.log.clone(), ctx.db.clone(), ctx.shutdown.clone());
    let project = move || run_projection(log.clone(), db.clone(), Arc::new(projection::Deliveries), stop.clone());

    let service = Service::new(NAME)
        .grpc(NotifierServiceServer::new(api))
        .task("messages", react)
        .task("first attempts", first_attempts)
        .task("deliveries of tier 1", attempt(Lane::First))
        .task("critical deliveries", attempt(Lane::Critical))
        .task("deliveries", attempt(Lane::Other))
        .task("fallbacks", other_ways)
        .task("read model", project)
        .check("routes", move || {
            let known = routes.is_caught_up();
            async move { if known { Ok(()) } else { Err("the notification routes are still being read".to_owned()) } }
        });
    let service = approvals::add_to(service, ctx, &outbox);
    escalating.add_to(service)
}

#[cfg(test)]
mod tests;
