//! A primary and its replica with the accounts of the contract, and the jobs to move between them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use muster_domain::pb::{
    inventory::v1::{Credential, MariadbTarget, Node, TlsMode, resource_spec::Platform as PlatformSpec},
    observation::v1::{MariadbFacts, NodeObservation, ObservationError, node_observation::Result as NodeResult},
};
use muster_local::{
    mariadb::{MariadbAccount, MariadbAccounts, MariadbServer},
    tools,
};
use muster_platform::{
    Facts, Limits, LocalService, LocalServiceConfig, Login, MoveJob, MoveKind, Mover, ObserveTarget, Observer, Service,
    ServiceAgent, Timeouts, registry::platform_of,
};

use crate::drive::{eventually, run_steps};

const REPLICATION_PASSWORD: &str = "it's: \\ secret";

pub(crate) struct Pair {
    pub a: MariadbServer,
    pub b: MariadbServer,
}

impl Pair {
    /// Node "a" is the primary, "b" replicates from it. `None`: this machine cannot have MariaDB, and says so.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with(&[], &[]).await
    }

    /// With settings of each server's own.
    pub(crate) async fn start_with(a: &[(&str, &str)], b: &[(&str, &str)]) -> Option<Self> {
        tools::or_skip(tools::mariadb()).unwrap()?;
        let (a, b) = tokio::join!(MariadbServer::temporary_with(a), MariadbServer::temporary_with(b));
        let pair = Self { a: a.unwrap(), b: b.unwrap() };
        let replication = MariadbAccount::new("repl", REPLICATION_PASSWORD);
        pair.a
            .create_accounts(&MariadbAccounts {
                monitor: MariadbAccount::new("mon", "mon-password"),
                execute: MariadbAccount::new("exec", "exec-password"),
                replication: replication.clone(),
            })
            .await
            .unwrap();
        pair.a
            .sql(
                "CREATE USER plain@'%' IDENTIFIED BY 'plain-password'; CREATE DATABASE app;
                 CREATE TABLE app.ledger (n BIGINT PRIMARY KEY); GRANT SELECT, INSERT ON app.* TO plain@'%';
                 CREATE USER admin@'%' IDENTIFIED BY 'admin-password';
                 GRANT READ_ONLY ADMIN ON *.* TO admin@'%'; GRANT SELECT, INSERT ON app.* TO admin@'%';",
            )
            .await
            .unwrap();
        pair.b.follow(&pair.a, &replication).await.unwrap();
        Some(pair)
    }

    pub(crate) fn server(&self, node: &str) -> &MariadbServer {
        if node == "a" { &self.a } else { &self.b }
    }

    pub(crate) fn spec(&self) -> MariadbTarget {
        let credential = |user: &str| Some(Credential { user: user.into(), ..Default::default() });
        MariadbTarget {
            nodes: vec![node("a", "west", self.a.port()), node("b", "east", self.b.port())],
            database: "app".into(),
            monitor: credential("mon"),
            execute: credential("exec"),
            replication: credential("repl"),
            tls: TlsMode::Disable.into(),
        }
    }

    pub(crate) fn agent_of(server: &MariadbServer) -> Arc<dyn ServiceAgent> {
        Arc::new(LocalService::new(LocalServiceConfig {
            service: Service::Mariadb,
            data_directory: server.data_dir(),
            bin_directory: server.bin_dir().to_owned(),
            config_file: server.config_file(),
            fence_file: None,
            log_file: None,
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
            spec: PlatformSpec::Mariadb(self.spec()),
            execute: login("exec", "exec-password"),
            replication: Some(login("repl", REPLICATION_PASSWORD)),
            agents: BTreeMap::new(),
            services: BTreeMap::from([
                ("a".to_owned(), Self::agent_of(&self.a)),
                ("b".to_owned(), Self::agent_of(&self.b)),
            ]),
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
        self.server(node).url("plain", "plain-password", "app")
    }

    pub(crate) async fn is_read_only(&self, node: &str) -> bool {
        self.server(node).sql("SELECT @@global.read_only").await.unwrap() == "1"
    }

    pub(crate) async fn is_fenced(&self, node: &str) -> bool {
        Self::agent_of(self.server(node)).is_fenced().await.unwrap()
    }

    /// Writes as the application on one node and waits until it is on the other.
    pub(crate) async fn arrives(&self, number: i64, from: &str, on: &str) {
        let insert = format!("SET SESSION sql_log_bin=1; INSERT INTO app.ledger VALUES ({number})");
        self.server(from).sql(&insert).await.unwrap();
        eventually("the row is on the other side", async || {
            let count = format!("SELECT count(*) FROM app.ledger WHERE n = {number}");
            self.server(on).sql(&count).await.unwrap() == "1"
        })
        .await;
    }
}

pub(crate) fn node(name: &str, site: &str, port: u16) -> Node {
    Node {
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

pub(crate) fn spec_of(target: MariadbTarget) -> PlatformSpec {
    PlatformSpec::Mariadb(target)
}

pub(crate) fn mover() -> Arc<dyn Mover> {
    (platform_of(&spec_of(MariadbTarget::default())).unwrap().mover)()
}

pub(crate) fn observer() -> Arc<dyn Observer> {
    (platform_of(&spec_of(MariadbTarget::default())).unwrap().observer)(Arc::new(Timestamp::now))
}

pub(crate) fn watched(spec: MariadbTarget, monitor: Login) -> ObserveTarget {
    ObserveTarget { tenant: "acme".into(), resource: "ledger".into(), spec: spec_of(spec), monitor }
}

pub(crate) fn mon() -> Login {
    login("mon", "mon-password")
}

pub(crate) fn facts(observation: &NodeObservation) -> &MariadbFacts {
    match observation.result.as_ref().unwrap() {
        NodeResult::Mariadb(facts) => facts,
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
    run_steps(&mover(), job, last, |name| name == "new_position").await
}
