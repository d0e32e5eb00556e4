//! Watches every declared resource through its read-only account, and puts what it saw into the log.
//!
//! | file | is |
//! |---|---|
//! | `inventory` | the resources to watch, folded from the log as they are declared and retired |
//! | `collector` | one task a resource, begun and ended as the inventory changes |
//! | `look` | one look: the account's secret, the platform's questions, the answer |
//! | `batch` | many observations in one message |
//!
//! Architecture Invariant: nothing here holds, resolves or uses an account that could change a
//! protected system, and nothing here judges what it saw.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod batch;
mod collector;
mod inventory;
mod look;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use muster_eventlog::{OBSERVATION_SHARDS, own_shards};
use muster_runtime::{Context, Service};

use collector::Collector;
use inventory::Watched;
use look::Looker;

const SERVICE: &str = "connector";

/// The service with its background tasks. It has no API.
pub fn service(ctx: &Context) -> Service {
    let watched = Watched::follow(&ctx.log, ctx.shutdown.clone());
    let clock = ctx.clock.clone();
    let looker = Arc::new(Looker::new(ctx.secrets.clone(), Arc::new(move || clock.now())));
    let (batcher, batches) = batch::channel();
    let collector = Arc::new(Collector {
        looker,
        watched: watched.clone(),
        batcher,
        interval: *ctx.config.observe.interval,
        collector: format!("{SERVICE}/{}", ctx.instance),
        clock: ctx.clock.clone(),
        sequence: 0.into(),
    });
    let publisher = Arc::new(batch::Publisher::new(ctx.log.clone(), &ctx.config.observe, batches));
    let (observing, publishing) = (ctx.clone(), ctx.clone());
    Service::new(SERVICE)
        .task("observe", move || {
            let collector = collector.clone();
            let (log, holder, shutdown) =
                (observing.log.clone(), observing.instance.clone(), observing.shutdown.clone());
            own_shards(log, SERVICE.to_owned(), OBSERVATION_SHARDS, holder, shutdown, move |shard, stop| {
                collector.clone().run(shard, stop)
            })
        })
        .task("publish", move || publisher.clone().run(publishing.shutdown.clone()))
        .check("inventory", move || {
            let caught_up = watched.is_caught_up();
            async move { if caught_up { Ok(()) } else { Err("still reading the tenants' inventories".to_owned()) } }
        })
}
