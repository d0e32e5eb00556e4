//! Requests to move a system, and people's decisions on them. Nothing runs that did not pass here.
//!
//! A command reads the log, lets the domain decide, and appends exactly one event. The tables serve lists only.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod api;
mod deadlines;
mod decide;
mod delegation_rows;
mod delegations;
mod explain;
mod gates;
mod intents;
mod list;
mod names;
mod open;
mod preflight;
mod projection;
mod rules;
mod scheduled;
mod sight;
mod surroundings;
mod view;

use std::sync::Arc;

use muster_eventlog::{
    Projection, TimerHandler,
    db::{Migration, Schema},
    run_projection, run_reactor, run_timers,
};
use muster_proto::request::v1::approval_service_server::ApprovalServiceServer;
use muster_runtime::{Context, IntentLinks, Service};

use names::DeclaredNames;
use sight::Sight;

const SERVICE: &str = "approval";

/// The read models' tables.
pub const MIGRATIONS: Schema = Schema {
    name: SERVICE,
    migrations: &[
        Migration { name: "0001_requests", sql: include_str!("../../../migrations/approval/0001_requests.sql") },
        Migration {
            name: "0002_groups_and_delegations",
            sql: include_str!("../../../migrations/approval/0002_groups_and_delegations.sql"),
        },
    ],
};

/// The read models that `muster projection rebuild` knows.
pub fn projections() -> Vec<Arc<dyn Projection>> {
    vec![Arc::new(projection::Requests), Arc::new(delegation_rows::Delegations)]
}

/// What every part of the service works with.
struct Approval {
    ctx: Context,
    names: DeclaredNames,
    sight: Sight,
    gates: gates::KnownGates,
    links: IntentLinks,
}

/// The service with its API and background tasks.
pub fn service(ctx: &Context) -> Service {
    let approval = Arc::new(Approval {
        ctx: ctx.clone(),
        names: DeclaredNames::follow(&ctx.log, ctx.shutdown.clone()),
        sight: Sight::follow(&ctx.log, ctx.shutdown.clone()),
        gates: gates::KnownGates::follow(&ctx.log, ctx.shutdown.clone()),
        links: IntentLinks::new(&ctx.config.approval, ctx.secrets.clone()),
    });
    let (timers, reacted) = (approval.clone(), ctx.clone());
    let (names, sight, known) = (approval.clone(), approval.clone(), approval.clone());
    let (failures, failed) = (approval.clone(), ctx.clone());
    let (calendar, again, due) = (approval.clone(), approval.clone(), ctx.clone());
    let (expiry, escalation, review) = (approval.clone(), approval.clone(), approval.clone());
    let service = Service::new(SERVICE)
        .grpc(ApprovalServiceServer::new(api::Api(approval)))
        .task("deadlines", move || {
            let reactor = Arc::new(deadlines::SetTimers(timers.clone()));
            run_reactor(reacted.log.clone(), reacted.db.clone(), reactor, reacted.shutdown.clone())
        })
        .task("gates", move || {
            let reactor = Arc::new(gates::RaiseAfterFailure(failures.clone()));
            run_reactor(failed.log.clone(), failed.db.clone(), reactor, failed.shutdown.clone())
        })
        .task("scheduled", move || {
            let reactor = Arc::new(scheduled::OpenScheduled(calendar.clone()));
            run_reactor(due.log.clone(), due.db.clone(), reactor, due.shutdown.clone())
        })
        .check("gates", move || {
            let caught_up = known.gates.is_caught_up();
            async move { if caught_up { Ok(()) } else { Err("still reading the gates".to_owned()) } }
        })
        .check("policies", move || {
            let caught_up = names.names.is_caught_up();
            async move { if caught_up { Ok(()) } else { Err("still reading the tenants' policies".to_owned()) } }
        })
        .check("evidence", move || {
            let caught_up = sight.sight.is_caught_up();
            async move { if caught_up { Ok(()) } else { Err("still reading what was seen last".to_owned()) } }
        });
    let service = with_projection(service, ctx, "requests", Arc::new(projection::Requests));
    let service = with_projection(service, ctx, "delegations", Arc::new(delegation_rows::Delegations));
    let service = with_timers(service, ctx, "expiry", deadlines::EXPIRY, Arc::new(deadlines::Expire(expiry)));
    let escalate = Arc::new(deadlines::Escalate(escalation));
    let service = with_timers(service, ctx, "escalation", deadlines::ESCALATION, escalate);
    let service = with_timers(service, ctx, "scheduled again", scheduled::AGAIN, Arc::new(scheduled::TryAgain(again)));
    with_timers(service, ctx, "review", deadlines::REVIEW, Arc::new(deadlines::Overdue(review)))
}

fn with_projection(service: Service, ctx: &Context, task: &'static str, projection: Arc<dyn Projection>) -> Service {
    let ctx = ctx.clone();
    service
        .task(task, move || run_projection(ctx.log.clone(), ctx.db.clone(), projection.clone(), ctx.shutdown.clone()))
}

fn with_timers(
    service: Service,
    ctx: &Context,
    task: &'static str,
    handler: &'static str,
    fire: Arc<dyn TimerHandler>,
) -> Service {
    let ctx = ctx.clone();
    service.task(task, move || run_timers(ctx.log.clone(), handler, fire.clone(), ctx.shutdown.clone()))
}
