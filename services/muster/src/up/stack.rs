//! NATS, PostgreSQL and a witness for Muster itself, on this machine.

use std::time::Duration;

use anyhow::{Context as _, Result};
use muster_eventlog::Database;
use muster_local::{
    nats::{Credentials, NatsOptions, NatsServer},
    postgres::{PostgresOptions, PostgresServer, StopMode},
};

use super::witness::LocalWitness;
use crate::place::{Place, random_password};

pub(crate) const NATS_USER: &str = "muster";
pub(crate) const DATABASE: &str = "muster";

/// Soon enough that nobody looks for the cause, and next to no work.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A server that does not come up in this many tries has a cause that trying does not mend.
const MAX_STARTS: u32 = 5;

pub(crate) struct Stack {
    nats: NatsServer,
    postgres: PostgresServer,
    pub(crate) witness: LocalWitness,
}

impl Stack {
    pub(crate) async fn start(place: &Place) -> Result<Self> {
        let (nats, postgres, witness) =
            tokio::try_join!(start_nats(place), start_postgres(place), LocalWitness::start(place))?;
        Ok(Self { nats, postgres, witness })
    }

    pub(crate) fn nats_url(&self) -> String {
        self.nats.url()
    }

    pub(crate) fn postgres_port(&self) -> u16 {
        self.postgres.port()
    }

    /// Starts a server again that ended by itself: killed, out of memory, crashed. Returns only with the reason why
    /// one cannot be kept running.
    pub(crate) async fn keep_running(&mut self) -> anyhow::Error {
        let mut in_a_row = 0;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let Err(error) = self.start_what_ended().await else {
                in_a_row = 0;
                continue;
            };
            in_a_row += 1;
            tracing::warn!(error = format!("{error:#}"), in_a_row, "a server of this machine cannot be started again");
            if in_a_row >= MAX_STARTS {
                return error;
            }
        }
    }

    async fn start_what_ended(&mut self) -> Result<()> {
        if !self.nats.is_running() {
            tracing::warn!("nats-server ended by itself; starting it again");
            self.nats.restart().await.context("nats-server ended by itself and cannot start again")?;
            tracing::info!("nats-server runs again");
        }
        if !self.postgres.is_running() {
            tracing::warn!("Muster's PostgreSQL ended by itself; starting it again");
            self.postgres.start().await.context("Muster's PostgreSQL ended by itself and cannot start again")?;
            tracing::info!("Muster's PostgreSQL runs again");
        }
        if !self.witness.is_running() {
            tracing::warn!("the local witness ended by itself; starting it again");
            self.witness.launch()?;
        }
        Ok(())
    }

    pub(crate) async fn stop(&mut self) -> Result<()> {
        self.witness.stop().await?;
        self.postgres.stop(StopMode::Fast).await?;
        self.nats.stop().await?;
        Ok(())
    }
}

async fn start_nats(place: &Place) -> Result<NatsServer> {
    let password = place.secret("_system", "nats", random_password)?;
    let options = NatsOptions {
        dir: place.nats(),
        port: Some(place.port("nats", None)?),
        // An acknowledged event is on disk, as on production servers.
        sync_always: true,
        credentials: Some(Credentials { user: NATS_USER.into(), password }),
        ..NatsOptions::default()
    };
    NatsServer::start(options).await.context("NATS cannot start")
}

async fn start_postgres(place: &Place) -> Result<PostgresServer> {
    let mut options =
        PostgresOptions::new(place.postgres()).port(place.port("postgres", None)?).setting("max_connections", "100");
    options.hba = vec!["host all postgres 127.0.0.1/32 trust".into(), "host all all 127.0.0.1/32 scram-sha-256".into()];
    let mut server = PostgresServer::init(options).await.context("PostgreSQL cannot be set up")?;
    server.start().await.context("PostgreSQL cannot start")?;
    if server.sql(&format!("SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'")).await?.trim().is_empty() {
        server.sql(&format!("CREATE DATABASE {DATABASE}")).await?;
    }
    Database::prepare(&server.url(server.superuser(), DATABASE)).await?;
    for (role, name) in
        [(muster_eventlog::db::OWNER_ROLE, "postgres-owner"), (muster_eventlog::db::SERVICE_ROLE, "postgres")]
    {
        let password = place.secret("_system", name, random_password)?;
        server.sql(&format!("ALTER ROLE {role} PASSWORD '{password}'")).await?;
    }
    Ok(server)
}
