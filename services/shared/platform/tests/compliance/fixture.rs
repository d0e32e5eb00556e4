//! What a platform brings to the suite.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use jiff::Timestamp;
use muster_domain::{
    inventory::platform::nodes,
    pb::{
        common::v1::Tier,
        inventory::v1::{ResourceSpec, resource_spec::Platform as PlatformSpec},
    },
};
use muster_platform::{
    HostAgent, LocalAgent, LocalService, Login, MoveJob, MoveKind, Mover, Observer, ServiceAgent,
    agent::ServerProcess,
    registry::{Platform, platform_of},
};
use nix::{sys::signal, unistd::Pid};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What acts on one node's host, in the words of an installation's configuration: another process makes the same of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Host {
    Postgresql(Value),
    Service(Value),
}

impl Host {
    pub(crate) fn servers(hosts: &BTreeMap<String, Self>) -> BTreeMap<String, Arc<dyn HostAgent>> {
        let agent = |host: &Self| -> Option<Arc<dyn HostAgent>> {
            let Self::Postgresql(config) = host else { return None };
            Some(Arc::new(LocalAgent::new(serde_json::from_value(config.clone()).unwrap())))
        };
        hosts.iter().filter_map(|(node, host)| Some((node.clone(), agent(host)?))).collect()
    }

    pub(crate) fn services(hosts: &BTreeMap<String, Self>) -> BTreeMap<String, Arc<dyn ServiceAgent>> {
        let agent = |host: &Self| -> Option<Arc<dyn ServiceAgent>> {
            let Self::Service(config) = host else { return None };
            Some(Arc::new(LocalService::new(serde_json::from_value(config.clone()).unwrap())))
        };
        hosts.iter().filter_map(|(node, host)| Some((node.clone(), agent(host)?))).collect()
    }
}

/// One pair of real servers, removed when it is dropped. Node "a" is the primary, "b" its replica.
///
/// Beside these, a fixture has `async fn start() -> Option<Self>`: a healthy pair, in which "b" follows and has everything.
/// `None`: the servers cannot be had on this machine, and the reason was said (`muster_local::tools::or_skip`).
#[async_trait]
pub(crate) trait Fixture: Send + Sync + Sized + 'static {
    /// As the registry names it.
    const PLATFORM: &'static str;

    /// The pair as a manifest would declare it, "a" and "b" on different sites, each with its agent.
    fn spec(&self) -> PlatformSpec;

    /// The read-only account.
    fn monitor(&self) -> Login;

    /// A new job each time, with agents, the execution account and short time limits: what one process remembers must
    /// never matter.
    fn job(&self, kind: MoveKind, from: &str, target: &str) -> MoveJob;

    /// By node name. Empty: the platform acts on no host.
    fn hosts(&self) -> BTreeMap<String, Host>;

    /// Writes one number as an application does, to this very node. True only when the node acknowledged it.
    async fn write(&self, node: &str, number: u64) -> bool;

    /// The numbers found there.
    async fn numbers(&self, node: &str) -> BTreeSet<u64>;

    /// SIGKILL to everything of the server.
    async fn kill(&self, node: &str) {
        let job = self.job(MoveKind::Failover, "a", "b");
        if let Some(agent) = job.services.get(node) {
            agent.kill().await.unwrap();
        } else {
            job.agents[node].kill().await.unwrap();
        }
    }

    /// Starts it as its host's supervisor would: as it was left. It may not come up.
    async fn restart(&self, node: &str) {
        let job = self.job(MoveKind::Failover, "a", "b");
        let _ = match job.services.get(node) {
            Some(agent) => agent.start(job.timeouts.start).await,
            None => job.agents[node].start(job.timeouts.start).await,
        };
    }

    /// Lets it stand still, as a host that hangs, or go on.
    async fn freeze(&self, node: &str, frozen: bool) {
        let job = self.job(MoveKind::Failover, "a", "b");
        let process = match job.services.get(node) {
            Some(agent) => agent.process().await,
            None => job.agents[node].process().await,
        };
        let ServerProcess::Running(server) = process.unwrap() else { panic!("{node} does not run") };
        let what = if frozen { signal::Signal::SIGSTOP } else { signal::Signal::SIGCONT };
        for pid in server.pids {
            // A short-lived process of it may have ended by itself.
            let _ = signal::kill(Pid::from_raw(pid), what);
        }
    }

    fn platform(&self) -> &'static Platform {
        platform_of(&self.spec()).unwrap()
    }

    fn mover(&self) -> Arc<dyn Mover> {
        (self.platform().mover)()
    }

    fn observer(&self) -> Arc<dyn Observer> {
        (self.platform().observer)(Arc::new(Timestamp::now))
    }

    /// The pair as a resource whose primary site is where "a" is.
    fn resource(&self) -> ResourceSpec {
        let spec = self.spec();
        let site = |name: &str| nodes(&spec).iter().find(|node| node.name == name).unwrap().site.to_owned();
        ResourceSpec {
            display_name: "Ledger".into(),
            tier: Tier::Tier1.into(),
            primary_site: site("a"),
            dr_site: site("b"),
            platform: Some(spec.clone()),
            ..ResourceSpec::default()
        }
    }
}
