//! Moves protected systems: the only part of Muster that holds execution credentials and changes a target.
//!
//! What keeps it safe, and by what:
//!
//! | promise | by |
//! |---|---|
//! | nothing runs that people did not approve | the approvals are proven from the log again ([`checks`]) |
//! | one run at a time on a resource and a group | reservations in the log, taken together ([`reserve`]) |
//! | a step's effect is never asked for by two executors | its claim is an append with an expectation ([`step`]) |
//! | a killed executor leaves nothing half-known | a successor reads the log and asks the target ([`recover`]) |
//! | no two nodes accept writes | fence before promotion, proven again under a lock (muster-platform) |
//! | a loss is never made smaller than it was | conservative statements with their limits ([`statement`]) |

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod actions;
mod aftermath;
mod api;
mod begin;
mod checks;
mod commands;
mod compile;
mod copy;
mod declared;
mod deed;
mod documents;
mod drive;
mod end;
mod error;
mod inner;
mod integrity;
mod job;
mod lease;
mod leg;
mod neighbours;
mod positions;
mod preflight;
mod reactor;
mod recover;
mod reserve;
mod resources;
mod rollback;
mod run;
mod runs;
mod statement;
mod step;
mod steps;
mod target;
mod trace;
mod unfinished;
mod watch;

use std::sync::{Arc, atomic::AtomicUsize};

use muster_eventlog::run_reactor;
use muster_platform::registry::platform_of;
use muster_proto::execution::v1::executor_service_server::ExecutorServiceServer;
use muster_runtime::{Context, Service};

pub use job::FindMover;

use declared::Known;
use positions::Positions;
use runs::Runs;
use unfinished::Unfinished;

const SERVICE: &str = "executor";

/// What every part of the service works with.
struct Executor {
    ctx: Context,
    find_mover: FindMover,
    positions: Positions,
    unfinished: Unfinished,
    declared: Known,
    runs: Arc<Runs>,
    watchers: Arc<AtomicUsize>,
}

/// The service with its API and background tasks, for the platforms of the registry.
pub fn service(ctx: &Context) -> Service {
    service_for(ctx, Arc::new(|spec| platform_of(spec).map(|platform| (platform.mover)())))
}

/// The same for other platforms' code: tests wrap the real one.
pub fn service_for(ctx: &Context, find_mover: FindMover) -> Service {
    let executor = Arc::new(Executor {
        ctx: ctx.clone(),
        find_mover,
        positions: Positions::default(),
        unfinished: Unfinished::follow(&ctx.log, ctx.shutdown.clone()),
        declared: Known::follow(&ctx.log, ctx.shutdown.clone()),
        runs: Arc::default(),
        watchers: Arc::default(),
    });
    let (swept, confirmed, followed, caught_up) =
        (executor.clone(), executor.clone(), executor.clone(), executor.clone());
    Service::new(SERVICE)
        .grpc(ExecutorServiceServer::new(api::Api(executor)))
        .task("confirmed requests", move || {
            let (ctx, reactor) = (confirmed.ctx.clone(), Arc::new(reactor::Confirmed(confirmed.clone())));
            run_reactor(ctx.log.clone(), ctx.db.clone(), reactor, ctx.shutdown.clone())
        })
        .task("runs", move || swept.clone().sweep())
        .task("positions", move || {
            let executor = followed.clone();
            async move {
                tokio::select! {
                    () = executor.positions.follow(&executor.ctx.log, executor.ctx.clock.now()) => {}
                    () = executor.ctx.shutdown.cancelled() => {}
                }
            }
        })
        .check("unfinished runs", move || {
            let caught_up = caught_up.unfinished.is_caught_up();
            async move { if caught_up { Ok(()) } else { Err("still reading which runs have not ended".to_owned()) } }
        })
}
