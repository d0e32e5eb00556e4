//! Redis: two servers without persistence, accounts with the rights of the contract.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use muster_domain::pb::inventory::v1::{Node, RedisTarget, TlsMode, resource_spec::Platform as PlatformSpec};
use muster_local::{
    redis::{RedisAccount, RedisAccounts, RedisServer},
    tools,
};
use muster_platform::{Limits, Login, MoveJob, MoveKind, Timeouts};
use serde_json::json;

use crate::{
    drive::eventually,
    fixture::{Fixture, Host},
};

pub(crate) struct Redis {
    pub a: RedisServer,
    pub b: RedisServer,
}

pub(crate) fn accounts() -> RedisAccounts {
    let account = |user: &str| RedisAccount::new(user, &format!("{user}-password"));
    RedisAccounts {
        admin: account("admin"),
        application: account("app"),
        monitor: account("mon"),
        execute: account("exec"),
        replication: account("repl"),
    }
}

fn login(account: &RedisAccount) -> Login {
    Login { user: account.user.clone(), password: account.password.clone().into() }
}

impl Redis {
    pub(crate) async fn start() -> Option<Self> {
        tools::or_skip(tools::redis_server()).unwrap()?;
        let a = RedisServer::temporary(&accounts(), None).await.unwrap();
        let b = RedisServer::temporary(&accounts(), Some(a.port())).await.unwrap();
        let pair = Self { a, b };
        eventually("b follows a", async || {
            let info = pair.b.command(&["INFO", "replication"]).await.unwrap();
            info.contains("master_link_status:up") && info.contains("master_sync_in_progress:0")
        })
        .await;
        assert!(pair.write("a", 0).await);
        Some(pair)
    }

    fn server(&self, node: &str) -> &RedisServer {
        if node == "a" { &self.a } else { &self.b }
    }

    fn host(server: &RedisServer) -> Host {
        Host::Service(json!({
            "service": "redis",
            "data_directory": server.data_dir(),
            "bin_directory": server.bin_dir(),
            "config_file": server.config_file(),
            "fence_file": server.fence_file(),
        }))
    }
}

#[async_trait]
impl Fixture for Redis {
    const PLATFORM: &'static str = "redis";

    fn spec(&self) -> PlatformSpec {
        let node = |name: &str, site: &str, server: &RedisServer| Node {
            name: name.into(),
            site: site.into(),
            host: "127.0.0.1".into(),
            port: server.port().into(),
            agent: format!("agent-{name}"),
        };
        PlatformSpec::Redis(RedisTarget {
            nodes: vec![node("a", "west", &self.a), node("b", "east", &self.b)],
            tls: TlsMode::Disable.into(),
            ..RedisTarget::default()
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
                replay: Duration::from_secs(10),
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
        let key = format!("n:{number}");
        self.server(node).command_as(&accounts().application, &["SET", &key, "1"]).await.is_ok()
    }

    async fn numbers(&self, node: &str) -> BTreeSet<u64> {
        let keys = self.server(node).command(&["KEYS", "n:*"]).await.unwrap_or_default();
        keys.lines().filter_map(|key| key.strip_prefix("n:")?.parse().ok()).collect()
    }
}
