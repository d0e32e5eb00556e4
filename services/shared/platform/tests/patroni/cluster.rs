//! A cluster with the accounts of the contract, and the jobs to move its leadership.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use muster_domain::pb::inventory::v1::{PatroniNode, PatroniTarget, TlsMode, resource_spec::Platform as PlatformSpec};
use muster_local::{
    patroni::{PatroniCluster, REST_PASSWORD, REST_USER},
    tools,
};
use muster_platform::{
    Facts, Limits, Login, MoveJob, MoveKind, Mover, ObserveTarget, Observer, Timeouts, registry::platform_of,
};

use crate::drive::{eventually, run_steps};

/// The grants that the platform needs, and nothing more.
const ACCOUNTS: &str = "
CREATE ROLE mon LOGIN PASSWORD 'mon-password'; GRANT pg_monitor TO mon;
CREATE ROLE plain LOGIN PASSWORD 'plain-password';
CREATE ROLE exec LOGIN PASSWORD 'exec-password'; GRANT pg_monitor TO exec;
CREATE TABLE ledger (n bigint PRIMARY KEY); GRANT SELECT, INSERT ON ledger TO plain;";

pub(crate) struct Cluster(pub PatroniCluster);

impl Cluster {
    /// "a" leads. `None`: this machine cannot have Patroni, and it was said.
    pub(crate) async fn start() -> Option<Self> {
        tools::or_skip(tools::patroni()).unwrap()?;
        tools::or_skip(tools::etcd()).unwrap()?;
        Some(Self(PatroniCluster::temporary(ACCOUNTS).await.unwrap()))
    }

    pub(crate) fn target(&self) -> PatroniTarget {
        let node = |name: &str, site: &str| PatroniNode {
            name: name.into(),
            site: site.into(),
            host: "127.0.0.1".into(),
            port: self.0.member(name).port().into(),
            api_url: self.0.member(name).api_url(),
        };
        PatroniTarget {
            nodes: vec![node("a", "west"), node("b", "east")],
            database: "postgres".into(),
            tls: TlsMode::Disable.into(),
            ..Default::default()
        }
    }

    pub(crate) fn job(&self, kind: MoveKind, from: &str, target: &str) -> MoveJob {
        job_on(self.target(), kind, from, target)
    }

    pub(crate) fn watched(&self) -> ObserveTarget {
        ObserveTarget {
            tenant: "acme".into(),
            resource: "ledger".into(),
            spec: PlatformSpec::Patroni(self.target()),
            monitor: monitor(),
        }
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("postgres://plain:plain-password@127.0.0.1:{}/postgres", self.0.member(name).port())
    }

    /// Rows, seen on whichever member answers as the primary.
    pub(crate) async fn count(&self) -> i64 {
        for name in ["a", "b"] {
            let member = self.0.member(name);
            if member.sql("SELECT NOT pg_is_in_recovery()").await.unwrap_or_default().trim() == "t" {
                return member.sql("SELECT count(*) FROM ledger").await.unwrap_or_default().trim().parse().unwrap_or(0);
            }
        }
        0
    }

    /// Changes the cluster's settings through Patroni itself, and waits until both members follow.
    pub(crate) async fn pause(&self, pause: bool) {
        let body = if pause { r#"{"pause": true}"# } else { r#"{"pause": null}"# };
        let response = reqwest::Client::new()
            .patch(format!("{}/config", self.0.member("b").api_url()))
            .basic_auth(REST_USER, Some(REST_PASSWORD))
            .body(body)
            .send()
            .await
            .unwrap();
        assert!(response.status().is_success(), "{response:?}");
        for name in ["a", "b"] {
            let url = format!("{}/patroni", self.0.member(name).api_url());
            eventually("both members know about the pause", async || match reqwest::get(&url).await {
                Ok(answer) => answer.text().await.unwrap_or_default().contains("\"pause\"") == pause,
                Err(_) => true,
            })
            .await;
        }
    }
}

/// A new job each time: what one process remembers must never matter.
pub(crate) fn job_on(cluster: PatroniTarget, kind: MoveKind, from: &str, target: &str) -> MoveJob {
    MoveJob {
        tenant: "acme".into(),
        resource: "ledger".into(),
        kind,
        from_node: from.into(),
        target_node: target.into(),
        spec: PlatformSpec::Patroni(cluster),
        execute: login(REST_USER, REST_PASSWORD),
        replication: Some(login("exec", "exec-password")),
        agents: BTreeMap::new(),
        services: BTreeMap::new(),
        timeouts: Timeouts { promote: Duration::from_secs(30), ..Timeouts::default() },
        limits: Limits::default(),
        last_known_primary: None,
        now: Arc::new(Timestamp::now),
        sessions: Default::default(),
    }
}

pub(crate) fn monitor() -> Login {
    login("mon", "mon-password")
}

pub(crate) fn login(user: &str, password: &str) -> Login {
    Login { user: user.into(), password: password.to_owned().into() }
}

pub(crate) fn mover() -> Arc<dyn Mover> {
    (platform_of(&PlatformSpec::Patroni(PatroniTarget::default())).unwrap().mover)()
}

pub(crate) fn observer() -> Arc<dyn Observer> {
    (platform_of(&PlatformSpec::Patroni(PatroniTarget::default())).unwrap().observer)(Arc::new(Timestamp::now))
}

pub(crate) async fn drive(job: impl Fn() -> MoveJob) -> Facts {
    run_steps(&mover(), job, None, |name| name.ends_with("_lsn")).await
}
