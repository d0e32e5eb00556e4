//! The hands on a host whose server needs nothing but to be stopped, started, and kept from coming up as a primary.

use std::time::Duration;

use async_trait::async_trait;

use super::{AgentError, ServerProcess};

/// One server process on one host. PostgreSQL needs more: see [`super::HostAgent`].
#[async_trait]
pub trait ServiceAgent: Send + Sync {
    /// For people: "local, data directory /srv/redis/a".
    fn describe(&self) -> String;

    /// What makes two agents the same server.
    fn identity(&self) -> String;

    /// Judged by the processes, not by a pid file.
    async fn process(&self) -> Result<ServerProcess, AgentError>;

    /// Makes every later start one that accepts no writes from clients, durably. A running server is not disturbed.
    /// Doing it again changes nothing.
    async fn fence(&self) -> Result<(), AgentError>;

    async fn is_fenced(&self) -> Result<bool, AgentError>;

    /// Takes the fence away. The caller has proof that no other server accepts writes.
    async fn unfence(&self) -> Result<(), AgentError>;

    /// A clean stop.
    async fn stop(&self, limit: Duration) -> Result<(), AgentError>;

    /// Ends every process of the server at once. `Ok` is proof that none is left.
    async fn kill(&self) -> Result<(), AgentError>;

    /// Starts the server and waits until it answers.
    async fn start(&self, limit: Duration) -> Result<(), AgentError>;
}
