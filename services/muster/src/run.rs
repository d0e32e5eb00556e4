//! `muster run SERVICE`: one service, configured by file and environment, as under Kubernetes.

use std::path::Path;

use anyhow::{Context as _, Result};
use muster_runtime::{Config, Context, Telemetry, config::Profile, serve};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::services;

pub(crate) async fn run(name: &str, config_file: Option<&Path>) -> Result<()> {
    let config = Config::load(config_file, Profile::Production)?;
    let listen = config.server.listen;
    let telemetry = Telemetry::install(&config.telemetry, name)?;
    if name == services::WITNESS {
        return witness(&config, telemetry).await;
    }
    let context = Context::connect(config, &services::schemas()).await?;
    let service = services::build(name, &context).await?;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    stop_on_signal(&context);
    serve(context, vec![service], listener).await?;
    telemetry.shutdown().await;
    Ok(())
}

/// A witness needs nothing of ours: no log, no database.
async fn witness(config: &Config, telemetry: Telemetry) -> Result<()> {
    let listen = config.server.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let shutdown = CancellationToken::new();
    cancel_on_signal(shutdown.clone());
    muster_witness::run(config, listener, shutdown).await?;
    telemetry.shutdown().await;
    Ok(())
}

/// Ctrl-C or SIGTERM begins an orderly end.
pub(crate) fn stop_on_signal(context: &Context) {
    cancel_on_signal(context.shutdown.clone());
}

fn cancel_on_signal(shutdown: CancellationToken) {
    tokio::spawn(async move {
        wait_for_signal().await;
        shutdown.cancel();
    });
}

pub(crate) async fn wait_for_signal() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(signal) => signal,
        Err(error) => {
            tracing::error!(%error, "SIGTERM cannot be caught; stopping");
            return;
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
