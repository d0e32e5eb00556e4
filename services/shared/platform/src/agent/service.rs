//! The hands on a host whose server needs nothing but to be stopped, started, and kept from coming up as a primary.

use std::time::Duration;

use async_trait::async_trait;

use super::{AgentError, CopySource, ServerProcess};

/// One server process on one host. PostgreSQL needs more: see [`super::HostAgent`].
#[async_trait]
pub trait ServiceAgent: Send + Sync {
    /// For people: "local, data directory /srv/redis/a".
    fn describe(&self) -> String;

    /// What makes two agents the same server.
    fn identity(&self) -> String;

    /// Whether everything the other calls rely on is so: the directory, its owner, and a configuration in which a
    /// fence would hold. Changes nothing; for prechecks, which must fail before a fence is needed.
    async fn check(&self) -> Result<(), AgentError>;

    /// Judged by the processes, not by a pid file.
    async fn process(&self) -> Result<ServerProcess, AgentError>;

    /// Makes every later start one that accepts no writes from clients, durably. A running server is not disturbed.
    /// Doing it again changes nothing. `Ok` says that the fence was read back and holds.
    async fn fence(&self) -> Result<(), AgentError>;

    /// The fence is there, and nothing in the configuration overrides it.
    async fn is_fenced(&self) -> Result<bool, AgentError>;

    /// Takes the fence away. The caller has proof that no other server accepts writes. What the server's own
    /// configuration says about its role is left as it is.
    async fn unfence(&self) -> Result<(), AgentError>;

    /// A clean stop. `Ok` is proof that no process is left; a server that does not end in time is left running, and that
    /// is an error.
    async fn stop(&self, limit: Duration) -> Result<(), AgentError>;

    /// Ends every process of the server at once. `Ok` is proof that none is left.
    async fn kill(&self) -> Result<(), AgentError>;

    /// Starts the server, as it was left, and waits until it listens. A running one is left alone. Whether it serves
    /// already is asked over its own protocol.
    async fn start(&self, limit: Duration) -> Result<(), AgentError>;

    /// Whether [`Self::rebuild`] could be done on this host. Changes nothing.
    async fn can_rebuild(&self) -> Result<(), AgentError>;

    /// Makes the stopped, fenced server's data anew, as a copy of the source at one moment, from which it can go on
    /// replicating. The old data is kept: the answer says where. Who dies in between leaves the old data in its place, or
    /// [`Self::finish_rebuild`] to be called.
    async fn rebuild(&self, source: &CopySource, limit: Duration) -> Result<String, AgentError>;

    /// Finishes what a killed [`Self::rebuild`] left half done. Nothing to do is fine.
    async fn finish_rebuild(&self) -> Result<(), AgentError>;
}
