//! The record, for people and for auditors: listed, filtered, exported. Nothing here, and no call of any
//! other service, changes or deletes an event.

mod api;
mod changes;
mod denied;
mod export;
mod filter;
mod format;
mod gaps;
mod log;
mod package;
mod payload_key;
mod projection;
mod query;
mod report;
mod reviews;
mod story;

use std::sync::Arc;

use muster_domain::pb::audit::v1::audit_service_server::AuditServiceServer;
use muster_eventlog::{Migration, Projection, Schema, run_projection};
use muster_runtime::{Context, Service};

/// The tables of this service.
pub const MIGRATIONS: Schema = Schema {
    name: "audit",
    migrations: &[Migration { name: "0001_records", sql: include_str!("../../../migrations/audit/0001_records.sql") }],
};

/// The read models that `muster projection rebuild` knows.
pub fn projections() -> Vec<Arc<dyn Projection>> {
    vec![Arc::new(projection::Records)]
}

pub fn service(context: &Context) -> Service {
    let (log, db, shutdown) = (context.log.clone(), context.db.clone(), context.shutdown.clone());
    Service::new("audit").grpc(AuditServiceServer::new(api::Api::new(context.clone()))).task("projection", move || {
        run_projection(log.clone(), db.clone(), Arc::new(projection::Records), shutdown.clone())
    })
}
