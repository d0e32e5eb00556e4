//! Judges readiness: observations in, status and alerts out, and the views of both.
//!
//! | file | is |
//! |---|---|
//! | `inventory` | what is judged, and by which limits, in memory |
//! | `worker` | one shard: observations and due times in, decisions out |
//! | `recovery` | the working memory brought back from recent observations |
//! | `record` | a decision, written to the log |
//! | `freshness` | durable timers: silence is noticed although nothing else runs |
//! | `board` | newest judgements and history, to PostgreSQL in batches |
//! | `projection` | status and alerts from the log, to PostgreSQL |
//! | `read`, `view`, `trend`, `stream` | the answers |
//! | `api` | gRPC |
//!
//! Architecture Invariant: no account of any target is known here. A status is never answered from
//! what was judged alone: its age counts at the moment of the answer.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod api;
mod board;
mod freshness;
mod inventory;
mod projection;
mod read;
mod record;
mod recovery;
mod stream;
#[cfg(test)]
mod tests;
mod trend;
mod view;
mod worker;

use std::sync::Arc;

use muster_eventlog::{Migration, OBSERVATION_SHARDS, Projection, Schema, own_shards, run_projection, run_timers};
use muster_proto::readiness::v1::monitor_service_server::MonitorServiceServer;
use muster_runtime::{Context, Service};

pub use projection::PROJECTION;

const SERVICE: &str = "monitor";

/// The tables of this service.
pub const MIGRATIONS: Schema = Schema {
    name: SERVICE,
    migrations: &[Migration {
        name: "0001_readiness",
        sql: include_str!("../../../migrations/monitor/0001_readiness.sql"),
    }],
};

/// The read models that can be rebuilt from the log.
pub fn projections() -> Vec<Arc<dyn Projection>> {
    vec![Arc::new(projection::ReadinessTables)]
}

/// What every part of the service works with.
struct Monitor {
    ctx: Context,
    inventory: inventory::Judged,
    board: board::Board,
    recorder: record::Recorder,
    freshness: freshness::Freshness,
}

impl Monitor {
    fn new(ctx: &Context) -> Arc<Self> {
        Arc::new(Self {
            ctx: ctx.clone(),
            inventory: inventory::Judged::follow(&ctx.log, ctx.shutdown.clone()),
            board: board::Board::default(),
            recorder: record::Recorder::new(ctx.log.clone(), ctx.clock.clone()),
            freshness: freshness::Freshness::new(ctx),
        })
    }
}

/// The service with its API and background tasks.
pub fn service(ctx: &Context) -> Service {
    let monitor = Monitor::new(ctx);
    let (judging, writing, silence, checked) = (monitor.clone(), monitor.clone(), monitor.clone(), monitor.clone());
    let projected = ctx.clone();
    Service::new(SERVICE)
        .grpc(MonitorServiceServer::new(api::Api::new(ctx)))
        .task("readiness tables", move || {
            let (log, db, shutdown) = (projected.log.clone(), projected.db.clone(), projected.shutdown.clone());
            run_projection(log, db, Arc::new(projection::ReadinessTables), shutdown)
        })
        .task("judge", move || {
            let ctx = &judging.ctx;
            let monitor = judging.clone();
            let (log, holder, shutdown) = (ctx.log.clone(), ctx.instance.clone(), ctx.shutdown.clone());
            own_shards(log, SERVICE.to_owned(), OBSERVATION_SHARDS, holder, shutdown, move |shard, stop| {
                worker::run(monitor.clone(), shard, stop)
            })
        })
        .task("write", move || {
            let monitor = writing.clone();
            async move { monitor.board.run(&monitor.ctx.db, &monitor.ctx.clock, monitor.ctx.shutdown.clone()).await }
        })
        .task("freshness", move || {
            let (log, shutdown) = (silence.ctx.log.clone(), silence.ctx.shutdown.clone());
            run_timers(log, freshness::HANDLER, Arc::new(freshness::Silence(silence.clone())), shutdown)
        })
        .check("inventory", move || {
            let caught_up = checked.inventory.is_caught_up();
            async move { if caught_up { Ok(()) } else { Err("still reading the tenants' inventories".to_owned()) } }
        })
}
