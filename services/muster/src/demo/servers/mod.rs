//! What the demo does to the servers of one platform, so that it can be done to all of them.

mod mariadb;
mod postgresql;
mod redis;

use std::collections::HashSet;

use anyhow::Result;
use async_trait::async_trait;

use super::estate::{Estate, Node, Pair, Platform};

/// The hands on the servers of a pair.
#[async_trait]
pub(crate) trait Servers: Send + Sync {
    fn is_built(&self, pair: &Pair) -> bool;

    /// A new primary with its accounts and the application's table, and a standby that follows it. What an
    /// interrupted build left is thrown away: nothing was ever written to it.
    async fn build(&self, pair: &Pair) -> Result<()>;

    async fn start(&self, node: &Node) -> Result<()>;

    async fn stop(&self, node: &Node) -> Result<()>;

    /// SIGKILL for the server and all its processes.
    async fn kill(&self, node: &Node) -> Result<()>;

    /// It runs, answers, and is no standby.
    async fn takes_writes(&self, node: &Node) -> Result<bool>;

    /// The standby receives and does not apply, or hangs. What was done, in words.
    async fn lag(&self, standby: &Node) -> Result<String>;

    /// The standby cannot reach the primary any more.
    async fn cut(&self, standby: &Node) -> Result<()>;

    /// Nobody takes writes: starts the node that may, without ever letting two do so.
    async fn revive<'a>(&self, pair: &'a Pair) -> Result<&'a Node>;

    /// Makes the standby follow the primary again, whatever is in the way. What was done.
    async fn mend(&self, primary: &Node, standby: &Node) -> Result<Vec<String>>;

    /// The numbers that the application's table holds.
    async fn rows(&self, node: &Node) -> Result<HashSet<i64>>;

    /// The application's connection. `None`: the node takes no writes.
    async fn connect(&self, node: &Node) -> Result<Option<Box<dyn Application>>>;
}

/// What the demo's application does.
#[async_trait]
pub(crate) trait Application: Send {
    /// The highest number that is there; 0 for none.
    async fn highest(&mut self) -> Result<i64>;

    async fn insert(&mut self, seq: i64) -> Result<()>;

    async fn forget_before(&mut self, seq: i64) -> Result<()>;
}

pub(crate) fn of(platform: Platform, estate: &Estate) -> Box<dyn Servers> {
    match platform {
        Platform::Postgresql => Box::new(postgresql::Postgresql::of(estate)),
        Platform::Mariadb => Box::new(mariadb::Mariadb::of(estate)),
        Platform::Redis => Box::new(redis::Redis::of(estate)),
    }
}
