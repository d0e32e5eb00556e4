//! The services by name: `muster up` runs all of them, `muster run NAME` one. Same code, same API.

use std::sync::Arc;

use anyhow::{Result, bail};
use muster_domain::pb::inventory::v1::Document;
use muster_eventlog::{Projection, Schema};
use muster_runtime::{Context, Service};

/// Every service, in the order of the picture in docs/ARCHITECTURE.md.
pub(crate) const NAMES: [&str; 8] =
    ["planner", "connector", "monitor", "approval", "executor", "notifier", "audit", "console"];

/// What `muster run` knows: the services, and a witness, which is none of them: it needs no log, no tables and no tenants.
pub(crate) const RUNNABLE: [&str; 9] =
    ["planner", "connector", "monitor", "approval", "executor", "notifier", "audit", "console", WITNESS];
pub(crate) const WITNESS: &str = "witness";

/// The tables of every service. Each process brings up all of them: they are few, and a process of one
/// service may be the first that starts.
pub(crate) fn schemas() -> Vec<Schema> {
    vec![
        muster_planner::MIGRATIONS,
        muster_monitor::MIGRATIONS,
        muster_approval::MIGRATIONS,
        muster_notifier::MIGRATIONS,
        muster_audit::MIGRATIONS,
    ]
}

/// The read models that can be rebuilt from the log.
pub(crate) fn projections() -> Vec<Arc<dyn Projection>> {
    NAMES.iter().flat_map(|name| projections_of(name)).collect()
}

fn projections_of(service: &str) -> Vec<Arc<dyn Projection>> {
    match service {
        "planner" => muster_planner::projections(),
        "monitor" => muster_monitor::projections(),
        "approval" => muster_approval::projections(),
        "notifier" => muster_notifier::projections(),
        "audit" => muster_audit::projections(),
        _ => Vec::new(),
    }
}

fn write_manifest(document: &Document) -> Result<String, String> {
    muster_planner::manifest::to_yaml(document).map_err(|error| error.to_string())
}

/// Assembles one service. A read model of it that falls behind makes it not ready.
pub(crate) async fn build(name: &str, context: &Context) -> Result<Service> {
    let service = match name {
        "planner" => muster_planner::service(context).await?,
        "connector" => muster_connector::service(context),
        "monitor" => muster_monitor::service(context),
        "approval" => muster_approval::service(context),
        "executor" => muster_executor::service(context),
        "notifier" => muster_notifier::service(context).await?,
        "audit" => muster_audit::service(context),
        "console" => muster_console::service(context, write_manifest).await?,
        other => bail!("there is no service '{other}'; there are: {}", NAMES.join(", ")),
    };
    let watched = projections_of(name);
    Ok(watched.iter().fold(service, |service, projection| service.watch_projection(context, projection.name())))
}
