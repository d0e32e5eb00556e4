//! MariaDB: two servers that replicate by GTID, accounts with the rights of the contract.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use muster_domain::pb::inventory::v1::{
    Credential, MariadbTarget, Node, TlsMode, resource_spec::Platform as PlatformSpec,
};
use muster_local::{
    mariadb::{MariadbAccount, MariadbAccounts, MariadbServer},
    tools,
};
use muster_platform::{Limits, Login, MoveJob, MoveKind, Timeouts};
use serde_json::json;
use sqlx::{Connection, MySqlConnection};

use crate::fixture::{Fixture, Host};

/// Longer than any commit takes; a node that hangs does not acknowledge.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

pub(crate) struct Mariadb {
    pub a: MariadbServer,
    pub b: MariadbServer,
}

fn accounts() -> MariadbAccounts {
    let account = |user: &str| MariadbAccount::new(user, &format!("{user}-password"));
    MariadbAccounts { monitor: account("mon"), execute: account("exec"), replication: account("repl") }
}

fn login(account: &MariadbAccount) -> Login {
    Login { user: account.user.clone(), password: account.password.clone().into() }
}

impl Mariadb {
    pub(crate) async fn start() -> Option<Self> {
        tools::or_skip(tools::mariadb()).unwrap()?;
        let (a, b) = tokio::join!(MariadbServer::temporary(), MariadbServer::temporary());
        let pair = Self { a: a.unwrap(), b: b.unwrap() };
        pair.a.create_accounts(&accounts()).await.unwrap();
        pair.a
            .sql(
                "CREATE DATABASE app; CREATE TABLE app.ledger (n BIGINT PRIMARY KEY);
                 CREATE USER plain@'%' IDENTIFIED BY 'plain-password'; GRANT SELECT, INSERT ON app.* TO plain@'%';",
            )
            .await
            .unwrap();
        pair.b.follow(&pair.a, &accounts().replication).await.unwrap();
        Some(pair)
    }

    fn server(&self, node: &str) -> &MariadbServer {
        if node == "a" { &self.a } else { &self.b }
    }

    fn host(server: &MariadbServer) -> Host {
        Host::Service(json!({
            "service": "mariadb",
            "data_directory": server.data_dir(),
            "bin_directory": server.bin_dir(),
            "config_file": server.config_file(),
        }))
    }
}

#[async_trait]
impl Fixture for Mariadb {
    const PLATFORM: &'static str = "mariadb";

    fn spec(&self) -> PlatformSpec {
        let node = |name: &str, site: &str, server: &MariadbServer| Node {
            name: name.into(),
            site: site.into(),
            host: "127.0.0.1".into(),
            port: server.port().into(),
            agent: format!("agent-{name}"),
        };
        let credential = |account: MariadbAccount| Some(Credential { user: account.user, ..Credential::default() });
        PlatformSpec::Mariadb(MariadbTarget {
            nodes: vec![node("a", "west", &self.a), node("b", "east", &self.b)],
            monitor: credential(accounts().monitor),
            execute: credential(accounts().execute),
            replication: credential(accounts().replication),
            tls: TlsMode::Disable.into(),
            database: "app".into(),
        })
    }

    fn monitor(&self) -> Login {
        login(&accounts().monitor)
    }

    fn job(&self, kind: MoveKind, from: &str, target: &str) -> MoveJob {
        MoveJob {
            tenant: "acme".into(),
            resource: "ledger".into(),
            kind,
            from_node: from.into(),
            target_node: target.into(),
            spec: self.spec(),
            execute: login(&accounts().execute),
            replication: Some(login(&accounts().replication)),
            agents: BTreeMap::new(),
            services: Host::services(&self.hosts()),
            timeouts: Timeouts {
                replay: Duration::from_secs(15),
                promote: Duration::from_secs(10),
                protected: Duration::from_secs(30),
                ..Timeouts::default()
            },
            limits: Limits::default(),
            last_known_primary: None,
            now: Arc::new(Timestamp::now),
            sessions: Default::default(),
        }
    }

    fn hosts(&self) -> BTreeMap<String, Host> {
        ["a", "b"].map(|name| (name.to_owned(), Self::host(self.server(name)))).into()
    }

    async fn write(&self, node: &str, number: u64) -> bool {
        let url = self.server(node).url("plain", "plain-password", "app");
        let written = async {
            let mut connection = MySqlConnection::connect(&url).await?;
            sqlx::query("INSERT INTO ledger VALUES (?)").bind(number).execute(&mut connection).await
        };
        tokio::time::timeout(WRITE_LIMIT, written).await.is_ok_and(|written| written.is_ok())
    }

    async fn numbers(&self, node: &str) -> BTreeSet<u64> {
        let rows = self.server(node).sql("SELECT n FROM app.ledger").await.unwrap_or_default();
        rows.lines().filter_map(|line| line.parse().ok()).collect()
    }
}
