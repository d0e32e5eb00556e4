//! A primary and its standby with the accounts of the contract, and the jobs to move between them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use muster_domain::pb::{
    inventory::v1::{Heartbeat, PostgresqlNode, PostgresqlTarget, TlsMode, resource_spec::Platform as PlatformSpec},
    observation::v1::{NodeObservation, ObservationError, PostgresqlFacts, node_observation::Result as NodeResult},
};
use muster_local::postgres::PostgresServer;
use muster_platform::{
    Facts, HostAgent, Limits, LocalAgent, LocalAgentConfig, Login, MoveJob, MoveKind, Mover, ObserveTarget, Observer,
    Timeouts, registry::platform_of,
};

use crate::drive::{eventually, run_steps};

/// Trust for the test's own superuser and for the application, which logs in again and again. Passwords for the accounts of
/// the contract.
const HBA: &str = "\
host all postgres,plain 127.0.0.1/32 trust
host replication postgres 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
";

/// The grants of the contract, and nothing more.
const ACCOUNTS: &str = "
CREATE ROLE mon LOGIN PASSWORD 'mon-password'; GRANT pg_monitor TO mon;
CREATE ROLE plain LOGIN PASSWORD 'plain-password';
CREATE ROLE exec LOGIN REPLICATION PASSWORD 'exec-password'; GRANT pg_monitor, pg_checkpoint TO exec;
GRANT EXECUTE ON FUNCTION pg_promote(boolean, integer), pg_wal_replay_resume() TO exec;
CREATE ROLE repl LOGIN REPLICATION PASSWORD 'it''s: \\ secret';
GRANT EXECUTE ON FUNCTION pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean), pg_read_binary_file(text),
    pg_read_binary_file(text, bigint, bigint, boolean) TO repl;
CREATE TABLE ledger (n bigint PRIMARY KEY); GRANT SELECT, INSERT ON ledger TO plain;";

pub(crate) struct Pair {
    pub a: PostgresServer,
    pub b: PostgresServer,
}

impl Pair {
    /// Node "a" is the primary, "b" streams from it.
    pub(crate) async fn start() -> Self {
        // Default 5 s: a standby that lost its primary would spend most of each test asleep.
        let a = PostgresServer::temporary_with(&[("wal_retrieve_retry_interval", "100ms")]).await.unwrap();
        a.sql(ACCOUNTS).await.unwrap();
        let b = PostgresServer::temporary_standby(&a, "for_b").await.unwrap();
        for server in [&a, &b] {
            std::fs::write(server.dir().join("pg_hba.conf"), HBA).unwrap();
            server.sql("SELECT pg_reload_conf()").await.unwrap();
        }
        let pair = Self { a, b };
        eventually("b streams from a", async || {
            pair.a.sql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'").await.unwrap().trim()
                == "1"
        })
        .await;
        pair
    }

    pub(crate) fn spec(&self) -> PostgresqlTarget {
        PostgresqlTarget {
            nodes: vec![node("a", "west", self.a.port()), node("b", "east", self.b.port())],
            database: "postgres".into(),
            heartbeat: Heartbeat::TransactionId.into(),
            tls: TlsMode::Disable.into(),
            ..Default::default()
        }
    }

    pub(crate) fn agent_of(server: &PostgresServer) -> Arc<dyn HostAgent> {
        Arc::new(LocalAgent::new(LocalAgentConfig {
            data_directory: server.dir().to_owned(),
            bin_directory: server.bin_dir().to_owned(),
            config_file: None,
            log_file: None,
            root_certificate: None,
        }))
    }

    /// A new job each time: what one process remembers must never matter.
    pub(crate) fn job(&self, kind: MoveKind, from: &str, target: &str) -> MoveJob {
        MoveJob {
            tenant: "acme".into(),
            resource: "ledger".into(),
            kind,
            from_node: from.into(),
            target_node: target.into(),
            spec: PlatformSpec::Postgresql(self.spec()),
            execute: login("exec", "exec-password"),
            replication: Some(login("repl", "it's: \\ secret")),
            agents: BTreeMap::from([
                ("a".to_owned(), Self::agent_of(&self.a)),
                ("b".to_owned(), Self::agent_of(&self.b)),
            ]),
            services: BTreeMap::new(),
            timeouts: Timeouts {
                replay: Duration::from_secs(15),
                protected: Duration::from_secs(30),
                ..Timeouts::default()
            },
            limits: Limits { free_disk_bytes: 1, ..Limits::default() },
            last_known_primary: None,
            now: Arc::new(Timestamp::now),
            sessions: Default::default(),
        }
    }

    pub(crate) fn url(&self, node: &str) -> String {
        let server = if node == "a" { &self.a } else { &self.b };
        format!("postgres://plain:plain-password@127.0.0.1:{}/postgres", server.port())
    }
}

pub(crate) fn node(name: &str, site: &str, port: u16) -> PostgresqlNode {
    PostgresqlNode {
        name: name.into(),
        site: site.into(),
        host: "127.0.0.1".into(),
        port: port.into(),
        agent: format!("agent-{name}"),
    }
}

pub(crate) fn login(user: &str, password: &str) -> Login {
    Login { user: user.into(), password: password.to_owned().into() }
}

pub(crate) fn spec_of(target: PostgresqlTarget) -> PlatformSpec {
    PlatformSpec::Postgresql(target)
}

pub(crate) fn mover() -> Arc<dyn Mover> {
    (platform_of(&spec_of(PostgresqlTarget::default())).unwrap().mover)()
}

pub(crate) fn observer() -> Arc<dyn Observer> {
    (platform_of(&spec_of(PostgresqlTarget::default())).unwrap().observer)(Arc::new(Timestamp::now))
}

pub(crate) fn watched(spec: PostgresqlTarget, monitor: Login) -> ObserveTarget {
    ObserveTarget { tenant: "acme".into(), resource: "ledger".into(), spec: spec_of(spec), monitor }
}

pub(crate) fn mon() -> Login {
    login("mon", "mon-password")
}

pub(crate) fn facts(observation: &NodeObservation) -> &PostgresqlFacts {
    match observation.result.as_ref().unwrap() {
        NodeResult::Postgresql(facts) => facts,
        other => panic!("{}: {other:?}", observation.node),
    }
}

pub(crate) fn error(observation: &NodeObservation) -> &ObservationError {
    match observation.result.as_ref().unwrap() {
        NodeResult::Error(error) => error,
        other => panic!("{}: {other:?}", observation.node),
    }
}

/// See [`run_steps`].
pub(crate) async fn drive(job: impl Fn() -> MoveJob, last: Option<&str>) -> Facts {
    run_steps(&mover(), job, last, |name| name == "target_receive_lsn" || name == "target_replay_lsn").await
}
