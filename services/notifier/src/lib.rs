//! Tells people and machines what happened, by the tenant's routes, and keeps a record of it.
//!
//! The log's events become messages (`reactor`), messages become queued deliveries (`outbox`), timers make
//! the attempts (`worker`) through the `channels`. What is told and to whom is decided in
//! `muster_domain::delivery`.
//!
//! Architecture Invariant: a message can never approve, start or stop anything. It carries a link to a page
//! that asks for a login.

mod api;
pub mod channels;
mod outbox;
mod parcel;
mod projection;
mod reactor;
mod recipients;
mod routes;
mod told;
mod worker;

use std::sync::Arc;

use muster_domain::pb::notification::v1::notifier_service_server::NotifierServiceServer;
use muster_eventlog::{Migration, Projection, Schema, run_projection, run_reactor, run_timers};
use muster_runtime::{Context, Service};

use channels::{Channel, SetupError};

/// The service's name, in records and in `muster run`.
pub const NAME: &str = "notifier";

/// The read model's tables.
pub const MIGRATIONS: Schema = Schema {
    name: "notifier",
    migrations: &[Migration {
        name: "0001_deliveries",
        sql: include_str!("../../../migrations/notifier/0001_deliveries.sql"),
    }],
};

/// The read models that can be rebuilt from the log.
pub fn projections() -> Vec<Arc<dyn Projection>> {
    vec![Arc::new(projection::Deliveries)]
}

/// The whole service with every channel.
pub async fn service(ctx: &Context) -> Result<Service, SetupError> {
    Ok(service_with(ctx, channels::all(&ctx.config, &ctx.secrets)?))
}

/// The service with other channels than the configured ones.
pub fn service_with(ctx: &Context, channels: Vec<Arc<dyn Channel>>) -> Service {
    let routes = routes::Routes::follow(&ctx.log, ctx.secrets.clone(), ctx.shutdown.clone());
    let outbox = outbox::Outbox::new(ctx.clone(), routes.clone());
    let messages = Arc::new(reactor::Messages { log: ctx.log.clone(), outbox: outbox.clone() });
    let worker = Arc::new(worker::Worker::new(ctx.clone(), outbox, channels));

    let (log, db, stop) = (ctx.log.clone(), ctx.db.clone(), ctx.shutdown.clone());
    let react = move || run_reactor(log.clone(), db.clone(), messages.clone(), stop.clone());
    let (log, stop) = (ctx.log.clone(), ctx.shutdown.clone());
    let attempt = move || run_timers(log.clone(), parcel::TIMERS, worker.clone(), stop.clone());
    let (log, db, stop) = (ctx.log.clone(), ctx.db.clone(), ctx.shutdown.clone());
    let project = move || run_projection(log.clone(), db.clone(), Arc::new(projection::Deliveries), stop.clone());

    Service::new(NAME)
        .grpc(NotifierServiceServer::new(api::Api { ctx: ctx.clone() }))
        .task("messages", react)
        .task("deliveries", attempt)
        .task("read model", project)
        .check("routes", move || {
            let known = routes.is_caught_up();
            async move { if known { Ok(()) } else { Err("the notification routes are still being read".to_owned()) } }
        })
}

#[cfg(test)]
mod tests;
