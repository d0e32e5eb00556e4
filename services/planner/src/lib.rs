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

use std::{convert::Infallible, sync::Arc};

use muster_domain::pb::inventory::v1::planner_service_server::PlannerServiceServer;
use muster_eventlog::{Migration, Projection, Schema, run_projection};
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

/// The read models that can be rebuilt from the log.
pub fn projections() -> Vec<Arc<dyn Projection>> {
    vec![Arc::new(Documents)]
}

/// Routes and background tasks. Nothing here can fail to start; the signature is that of all services.
pub async fn service(ctx: &Context) -> Result<Service, Infallible> {
    let context = ctx.clone();
    let project =
        move || run_projection(context.log.clone(), context.db.clone(), Arc::new(Documents), context.shutdown.clone());
    let server = PlannerServiceServer::new(api::Planner::new(ctx.clone()));
    Ok(Service::new("planner").grpc(server).task("documents", project))
}
