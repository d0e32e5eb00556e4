//! Inventory and policies: takes in what people declare, checks it whole, and writes it to the log or not at all.
//!
//! | file | is |
//! |---|---|
//! | `manifest/` | the YAML people write, read with a place for every fault, and written back |
//! | `plan` | what a manifest would change, judged on the state in the log |
//! | `apply`, `retire` | the two commands: lock, plan, one atomic append |
//! | `lock` | one change of a tenant's inventory at a time |
//! | `projection`, `query` | the tables that are read, and the reading |
//! | `api` | gRPC |
//!
//! Architecture Invariant: what is decided is decided on the log. The tables say where to look (who refers to a
//! document), never what holds.

mod api;
mod apply;
mod error;
mod history;
mod lock;
pub mod manifest;
mod plan;
mod projection;
mod query;
mod references;
mod retire;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use muster_domain::pb::inventory::v1::planner_service_server::PlannerServiceServer;
use muster_eventlog::{Migration, Schema, run_projection};
use muster_runtime::{Context, Service};

pub use projection::{Documents, PROJECTION};

/// The tables of this service.
pub const MIGRATIONS: Schema = Schema {
    name: "planner",
    migrations: &[Migration {
        name: "0001_documents",
        sql: include_str!("../../../migrations/planner/0001_documents.sql"),
    }],
};

/// Routes and background tasks.
pub fn service(ctx: &Context) -> Service {
    let context = ctx.clone();
    Service::new("planner")
        .grpc(PlannerServiceServer::new(api::Planner::new(ctx.clone())))
        .task("documents", move || {
            run_projection(context.log.clone(), context.db.clone(), Arc::new(Documents), context.shutdown.clone())
        })
}
