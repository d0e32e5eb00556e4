//! Inventory, policies and recovery plans: takes in what people declare, checks it whole, and writes it to the log or not
//! at all; and the life of plans.
//!
//! | file | is |
//! |---|---|
//! | `manifest/` | the YAML people write, read with a place for every fault, and written back |
//! | `changeset` | what a manifest would change, judged on the state in the log |
//! | `apply`, `retire` | the two commands: lock, judge, one atomic append |
//! | `lock` | one change of a tenant's inventory at a time |
//! | `projection`, `query` | the tables that are read, and the reading |
//! | `plans/` | recovery plans: judged, reviewed, published, proven |
//! | `schedules/` | what falls due by the calendar, and what came of it |
//! | `document/` | the failover documentation of a plan, and the signed run-card |
//! | `api` | gRPC of the inventory |
//!
//! Architecture Invariant: what is decided is decided on the log. The tables say where to look (who refers to a
//! document), never what holds.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod api;
mod apply;
mod changeset;
mod document;
mod error;
mod history;
mod lock;
pub mod manifest;
mod plans;
mod projection;
mod query;
mod references;
mod retire;
mod schedules;
#[cfg(test)]
mod tests;

use std::{convert::Infallible, sync::Arc};

use axum::{Router, http::StatusCode, http::header::CONTENT_TYPE, response::IntoResponse, routing::get};
use muster_domain::pb::inventory::v1::planner_service_server::PlannerServiceServer;
use muster_domain::pb::plan::v1::plan_service_server::PlanServiceServer;
use muster_domain::pb::schedule::v1::schedule_service_server::ScheduleServiceServer;
use muster_domain::refusal::describe;
use muster_eventlog::{Migration, Projection, Schema, run_projection, run_reactor, run_timers};
use muster_runtime::{Context, Service};

pub use document::new_signing_key;
pub use projection::{Documents, PROJECTION};

use error::CommandError;
use plans::{
    Plans,
    api::Api,
    lapse::Lapse,
    proof::{PROOFS, Proofs},
};
use schedules::{
    Schedules, api as schedule_api,
    follow::Follow,
    look::{Due, SCHEDULES},
    projection::Occurrences,
};

/// Where everybody gets the key that run-cards are verified with: it is public.
pub const SIGNING_KEY_PATH: &str = "/run-card-key.pem";

/// The tables of this service.
pub const MIGRATIONS: Schema = Schema {
    name: "planner",
    migrations: &[
        Migration { name: "0001_documents", sql: include_str!("../../../migrations/planner/0001_documents.sql") },
        Migration {
            name: "0002_requests_about_groups",
            sql: include_str!("../../../migrations/planner/0002_requests_about_groups.sql"),
        },
        Migration { name: "0003_occurrences", sql: include_str!("../../../migrations/planner/0003_occurrences.sql") },
        Migration {
            name: "0004_occurrences_by_hand",
            sql: include_str!("../../../migrations/planner/0004_occurrences_by_hand.sql"),
        },
    ],
};

/// The read models that can be rebuilt from the log.
pub fn projections() -> Vec<Arc<dyn Projection>> {
    vec![Arc::new(Documents), Arc::new(Occurrences)]
}

/// Routes and background tasks. Nothing here can fail to start; the signature is that of all services.
pub async fn service(ctx: &Context) -> Result<Service, Infallible> {
    let context = ctx.clone();
    let project =
        move || run_projection(context.log.clone(), context.db.clone(), Arc::new(Documents), context.shutdown.clone());
    let plans = Arc::new(Plans { ctx: ctx.clone() });
    let (proofs, lapse, reacting, waiting) = (plans.clone(), plans.clone(), ctx.clone(), ctx.clone());
    let key = plans.clone();
    Ok(with_schedules(Service::new("planner"), ctx)
        .grpc(PlannerServiceServer::new(api::Planner::new(ctx.clone())))
        .grpc(PlanServiceServer::new(Api((*plans).clone())))
        .http(Router::new().route(SIGNING_KEY_PATH, get(move || public_key(key.clone()))))
        .task("documents", project)
        .task("proofs", move || {
            let reactor = Arc::new(Proofs(proofs.clone()));
            run_reactor(reacting.log.clone(), reacting.db.clone(), reactor, reacting.shutdown.clone())
        })
        .task("lapse", move || {
            run_timers(waiting.log.clone(), PROOFS, Arc::new(Lapse(lapse.clone())), waiting.shutdown.clone())
        }))
}

/// Their API, their table, what they hear of, and their timers.
fn with_schedules(service: Service, ctx: &Context) -> Service {
    let schedules = Arc::new(Schedules { ctx: ctx.clone() });
    let (follow, due) = (schedules.clone(), schedules.clone());
    let (projecting, following, waiting) = (ctx.clone(), ctx.clone(), ctx.clone());
    service
        .grpc(ScheduleServiceServer::new(schedule_api::Api(schedules)))
        .task("occurrences", move || {
            let (log, db) = (projecting.log.clone(), projecting.db.clone());
            run_projection(log, db, Arc::new(Occurrences), projecting.shutdown.clone())
        })
        .task("schedules", move || {
            let reactor = Arc::new(Follow(follow.clone()));
            run_reactor(following.log.clone(), following.db.clone(), reactor, following.shutdown.clone())
        })
        .task("due", move || {
            run_timers(waiting.log.clone(), SCHEDULES, Arc::new(Due(due.clone())), waiting.shutdown.clone())
        })
}

async fn public_key(plans: Arc<Plans>) -> impl IntoResponse {
    match plans.key() {
        Ok(key) => ([(CONTENT_TYPE, "application/x-pem-file")], key.public_pem()).into_response(),
        Err(CommandError::Refused(refusal)) => (StatusCode::NOT_FOUND, describe(&refusal)).into_response(),
        Err(error) => {
            tracing::error!(%error, "the signing key cannot be read");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
