//! The record, for people and for auditors: listed, filtered, exported. Nothing here, and no call of any
//! other service, changes or deletes an event.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod api;
mod changes;
mod denied;
mod export;
mod filter;
mod format;
mod gaps;
mod log;
mod oscal;
mod package;
mod payload_key;
mod projection;
mod query;
mod report;
mod reviews;
mod story;
mod views;

use std::sync::Arc;

use muster_domain::pb::audit::v1::audit_service_server::AuditServiceServer;
use muster_eventlog::{Migration, Projection, Schema, run_projection, run_reactor, run_timers};
use muster_runtime::{Context, Service};

/// The tables of this service.
pub const MIGRATIONS: Schema = Schema {
    name: "audit",
    migrations: &[
        Migration { name: "0001_records", sql: include_str!("../../../migrations/audit/0001_records.sql") },
        Migration { name: "0002_views", sql: include_str!("../../../migrations/audit/0002_views.sql") },
        Migration { name: "0003_event_ids", sql: include_str!("../../../migrations/audit/0003_event_ids.sql") },
    ],
};

/// The read models that `muster projection rebuild` knows.
pub fn projections() -> Vec<Arc<dyn Projection>> {
    vec![Arc::new(projection::Records), Arc::new(views::Views)]
}

pub use log::{Finding, FsckError, FsckReport, fsck};
pub use package::{Pieces, evidence_package};

pub fn service(context: &Context) -> Service {
    let (log, db, shutdown) = (context.log.clone(), context.db.clone(), context.shutdown.clone());
    let service = Service::new("audit")
        .grpc(AuditServiceServer::new(api::Api::new(context.clone())))
        .task("projection", move || {
            run_projection(log.clone(), db.clone(), Arc::new(projection::Records), shutdown.clone())
        });
    let keys = context.clone();
    let service = service.task("payload keys", move || payload_key::settle(keys.clone()));
    log::with_log(with_gaps(service, context), context)
}

/// The read models beside the list, the gaps that open by themselves, and the ends of acceptances.
fn with_gaps(service: Service, context: &Context) -> Service {
    let (views, found, lapsed) = (context.clone(), context.clone(), context.clone());
    service
        .task("views", move || {
            run_projection(views.log.clone(), views.db.clone(), Arc::new(views::Views), views.shutdown.clone())
        })
        .task("gaps", move || {
            let reactor = Arc::new(gaps::OpenByItself(found.clone()));
            run_reactor(found.log.clone(), found.db.clone(), reactor, found.shutdown.clone())
        })
        .task("acceptances", move || {
            let lapse = Arc::new(gaps::Lapse(lapsed.clone()));
            run_timers(lapsed.log.clone(), gaps::ACCEPTANCE, lapse, lapsed.shutdown.clone())
        })
}
