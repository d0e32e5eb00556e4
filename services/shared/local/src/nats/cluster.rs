//! Three servers that replicate: what holds on one server does not always hold on a cluster.

use tempfile::TempDir;

use super::{ClusterMember, NatsOptions, NatsServer, temporary_dir};
use crate::{LocalError, Result, free_port, port::PORT_ATTEMPTS};

/// The smallest cluster that survives the loss of a member.
const MEMBERS: usize = 3;

/// A running cluster. Dropping it kills all members.
#[derive(Debug)]
pub struct NatsCluster {
    /// Stop, kill and restart them one by one.
    pub servers: Vec<NatsServer>,
    _temporary: TempDir,
}

impl NatsCluster {
    /// A cluster with its own stores, removed when this is dropped.
    pub async fn temporary() -> Result<Self> {
        let mut outcome = Self::form().await;
        for _ in 1..PORT_ATTEMPTS {
            // A member that lost the race for its cluster port ends; the others never elect a leader without it.
            if !matches!(outcome, Err(LocalError::PortTaken { .. } | LocalError::EndedEarly { .. })) {
                break;
            }
            outcome = Self::form().await;
        }
        outcome
    }

    /// All members, as one server list for a client.
    pub fn url(&self) -> String {
        self.servers.iter().map(NatsServer::url).collect::<Vec<_>>().join(",")
    }

    async fn form() -> Result<Self> {
        let dir = temporary_dir()?;
        let routes = (0..MEMBERS).map(|_| free_port()).collect::<Result<Vec<u16>>>()?;
        let mut servers = Vec::with_capacity(MEMBERS);
        for (index, &port) in routes.iter().enumerate() {
            let cluster = Some(ClusterMember { name: "local".into(), port, routes: routes.clone() });
            let dir = dir.path().join(format!("n{index}"));
            servers.push(NatsServer::start(NatsOptions { dir, cluster, ..NatsOptions::default() }).await?);
        }
        for server in &mut servers {
            server.wait_ready().await?;
        }
        Ok(Self { servers, _temporary: dir })
    }
}
