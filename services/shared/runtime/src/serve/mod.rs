//! One listener for everything: gRPC with reflection and health, gRPC-Web, and HTTP with /livez, /readyz, /metrics.

mod guard;
mod listener;
mod probes;
mod routes;
mod service;

use std::time::Duration;

use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub use service::Service;

use crate::{Context, config, health::Health, identity, tasks, telemetry};

/// How long the answer "not ready" is given before connections are closed, so that load balancers notice.
const NOTICE: Duration = Duration::from_millis(200);

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("gRPC reflection cannot be built: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    #[error("the listener failed: {0}")]
    Listener(#[from] std::io::Error),
    #[error("two services are named '{0}'; each service is served once")]
    Duplicate(&'static str),
}

/// What serving needs from the process.
#[derive(Clone)]
pub struct Surroundings {
    pub config: config::Server,
    pub health: Health,
    pub shutdown: CancellationToken,
}

/// Serves the services of a process, and says who callers are. Returns after draining.
pub async fn serve(context: Context, mut services: Vec<Service>, listener: TcpListener) -> Result<(), ServeError> {
    services.push(identity::service(context.access.clone()));
    let around = Surroundings {
        config: context.config.server.clone(),
        health: context.health.clone(),
        shutdown: context.shutdown.clone(),
    };
    serve_on(around, services, listener).await?;
    context.access.flush().await;
    Ok(())
}

/// Serves until `shutdown` is cancelled, then drains for at most `drain_timeout`.
pub async fn serve_on(
    around: Surroundings,
    mut services: Vec<Service>,
    listener: TcpListener,
) -> Result<(), ServeError> {
    check_names(&services)?;
    let mut running: Vec<JoinHandle<()>> = Vec::new();
    for service in &mut services {
        for check in service.take_checks() {
            check(&around.health);
        }
        running.extend(service.take_tasks().into_iter().map(|start| start(&around.health, around.shutdown.clone())));
    }
    let app = routes::build(&around, services)?;
    running.push(tokio::spawn(upkeep(around.shutdown.clone())));

    tracing::info!(address = %listener.local_addr()?, "listening");
    let closing = CancellationToken::new();
    let server =
        axum::serve(listener::Limited::new(listener), app).with_graceful_shutdown(closing.clone().cancelled_owned());
    let mut server = tokio::spawn(server.into_future());
    tokio::select! {
        () = around.shutdown.cancelled() => {}
        // Only an error ends the server before it was told to close.
        ended = &mut server => {
            around.shutdown.cancel();
            ended.map_err(std::io::Error::other)??;
        }
    }
    tokio::time::sleep(NOTICE).await;
    closing.cancel();
    drain(server, running, *around.config.drain_timeout).await;
    Ok(())
}

async fn drain(mut server: JoinHandle<std::io::Result<()>>, mut running: Vec<JoinHandle<()>>, limit: Duration) {
    let all = async {
        let (served, _) = tokio::join!(&mut server, futures::future::join_all(running.iter_mut()));
        if let Ok(Err(error)) = served {
            tracing::warn!(%error, "the listener did not close cleanly");
        }
    };
    if tokio::time::timeout(limit, all).await.is_err() {
        tracing::warn!(limit_s = limit.as_secs(), "calls or tasks did not finish in time and are cut off");
        server.abort();
        running.iter().for_each(JoinHandle::abort);
    }
}

fn check_names(services: &[Service]) -> Result<(), ServeError> {
    for (i, service) in services.iter().enumerate() {
        if services.iter().take(i).any(|other| other.name() == service.name()) {
            return Err(ServeError::Duplicate(service.name()));
        }
    }
    Ok(())
}

/// Histograms are drained even when nobody scrapes.
async fn upkeep(shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(telemetry::metrics::UPKEEP_INTERVAL);
    loop {
        tokio::select! {
            _ = ticks.tick() => telemetry::metrics::handle().run_upkeep(),
            () = shutdown.cancelled() => return,
        }
    }
}

type StartTask = Box<dyn FnOnce(&Health, CancellationToken) -> JoinHandle<()> + Send>;

fn start_task<F, Fut>(service: &'static str, name: String, make: F) -> StartTask
where
    F: Fn() -> Fut + Send + 'static,
    Fut: Future<Output: tasks::TaskOutcome> + Send + 'static,
{
    Box::new(move |health, shutdown| tasks::supervise(service, name, health, shutdown, make))
}
