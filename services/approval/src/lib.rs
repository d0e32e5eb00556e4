//! Requests to move a system, and people's decisions on them. Nothing runs that did not pass here.
//!
//! A command reads the log, lets the domain decide, and appends exactly one event. The tables serve lists only.

mod api;
mod decide;
mod expiry;
mod list;
mod open;
mod policies;
mod projection;
mod surroundings;
mod view;

use std::sync::Arc;

use muster_eventlog::{
    Projection,
    db::{Migration, Schema},
    run_projection, run_reactor, run_timers,
};
use muster_proto::request::v1::approval_service_server::ApprovalServiceServer;
use muster_runtime::{Context, Service};

use policies::Policies;

const SERVICE: &str = "approval";

/// The read model's tables.
pub const MIGRATIONS: Schema = Schema {
    name: SERVICE,
    migrations: &[Migration {
        name: "0001_requests",
        sql: include_str!("../../../migrations/approval/0001_requests.sql"),
    }],
};

/// The read models that `muster projection rebuild` knows.
pub fn projections() -> Vec<Arc<dyn Projection>> {
    vec![Arc::new(projection::Requests)]
}

/// What every part of the service works with.
struct Approval {
    ctx: Context,
    policies: Policies,
}

/// The service with its API and background tasks.
pub fn service(ctx: &Context) -> Service {
    let policies = Policies::follow(&ctx.log, ctx.shutdown.clone());
    let approval = Arc::new(Approval { ctx: ctx.clone(), policies });
    let (timers, expiry, caught_up) = (approval.clone(), approval.clone(), approval.clone());
    let (projected, reacted, fired) = (ctx.clone(), ctx.clone(), ctx.clone());
    Service::new(SERVICE)
        .grpc(ApprovalServiceServer::new(api::Api(approval)))
        .task("projection", move || {
            run_projection(
                projected.log.clone(),
                projected.db.clone(),
                Arc::new(projection::Requests),
                projected.shutdown.clone(),
            )
        })
        .task("expiry timers", move || {
            let reactor = Arc::new(expiry::SetTimers(timers.clone()));
            run_reactor(reacted.log.clone(), reacted.db.clone(), reactor, reacted.shutdown.clone())
        })
        .task("expiry", move || {
            let handler = Arc::new(expiry::Expire(expiry.clone()));
            run_timers(fired.log.clone(), expiry::HANDLER, handler, fired.shutdown.clone())
        })
        .check("policies", move || {
            let caught_up = caught_up.policies.is_caught_up();
            async move { if caught_up { Ok(()) } else { Err("still reading the tenants' policies".to_owned()) } }
        })
}
