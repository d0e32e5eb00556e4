//! A witness: cosigns the checkpoints of the logs it knows, each only if it extends what it has cosigned before
//! (C2SP tlog-witness). It needs nothing but a file and a key, so that a customer can run one on a machine of its own.
//!
//! | file | what |
//! |---|---|
//! | [`witness`] | the judgement: cosign, or which refusal |
//! | [`request`] | the body of `add-checkpoint` |
//! | [`logs`] | whose checkpoints are cosigned; epochs |
//! | [`memory`] | the one table (origin, size, root), durable before any answer |
//! | [`key`] | the signing key, made at the first start |
//! | [`http`] | the server |
//!
//! Architecture Invariant: no answer with a cosignature leaves before the tree it is for is on disk.
//! Architecture Invariant: of one origin, no smaller and no inconsistent tree is ever cosigned, whoever signed it.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod error;
mod http;
mod key;
mod logs;
mod memory;
mod request;
mod witness;

use std::sync::Arc;

use muster_runtime::{
    Clock, Service,
    config::Config,
    health::Health,
    serve::{Surroundings, serve_on},
};
use muster_tlog::VerifierKey;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use error::StartError;
use witness::Witness;

/// Makes key and memory if this is the first start, and says the public key: for the configuration of the logs.
pub fn prepare(config: &Config) -> Result<VerifierKey, StartError> {
    Ok(Witness::open(&config.witness, Clock::system())?.key().verifier().clone())
}

/// Serves until `shutdown`.
pub async fn run(config: &Config, listener: TcpListener, shutdown: CancellationToken) -> Result<(), StartError> {
    let witness = Arc::new(Witness::open(&config.witness, Clock::system())?);
    tracing::info!(verifier_key = %witness.key().verifier(), "witness");
    let around = Surroundings { config: config.server.clone(), health: Health::new(), shutdown };
    let service = Service::new("witness").http(http::router(witness));
    Ok(serve_on(around, vec![service], listener).await?)
}
