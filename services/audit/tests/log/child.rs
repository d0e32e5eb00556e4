//! The audit service in a process of its own, to be killed: this test program, started again with other orders.

use std::{path::Path, process::Stdio};

use muster_eventlog::db::Database;
use muster_runtime::{Clock, Config, Telemetry};
use tokio::process::{Child, Command};

use crate::world::{Installation, connect, serve_audit};

const ORDERS: &str = "MUSTER_TEST_AUDIT_CHILD";

pub(crate) fn wanted() -> Option<Config> {
    let file = std::env::var_os(ORDERS)?;
    Some(toml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap())
}

pub(crate) async fn run(config: Config) {
    let _telemetry = Telemetry::install(&config.telemetry, "child").unwrap();
    let log = connect(&config).await;
    let db = Database::connect(&config.postgres.url).await.unwrap();
    let _running = serve_audit(&config, &log, &db, &Clock::system()).await;
    std::future::pending::<()>().await;
}

/// Killed when dropped.
pub(crate) fn start(here: &Installation, orders: &Path) -> Child {
    std::fs::write(orders, toml::to_string(&here.config).unwrap()).unwrap();
    Command::new(std::env::current_exe().unwrap())
        .env(ORDERS, orders)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}
