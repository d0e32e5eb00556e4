//! A served process on a free port.

use std::net::SocketAddr;

use muster_runtime::{
    Health, Service, config,
    serve::{ServeError, Surroundings, serve_on},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub(crate) use muster_local::eventually;

pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) ended: JoinHandle<Result<(), ServeError>>,
}

impl Served {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

pub(crate) async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

pub(crate) fn start(listener: TcpListener, services: Vec<Service>, health: Health) -> Served {
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let config = config::Server {
        request_timeout: config::HumanDuration::millis(500),
        drain_timeout: config::HumanDuration::seconds(2),
        ..config::Server::default()
    };
    let around = Surroundings { config, health, shutdown: shutdown.clone() };
    let ended = tokio::spawn(serve_on(around, services, listener));
    Served { address, shutdown, ended }
}
