//! What every platform must hold, against its real servers. One set of cases; a platform brings a [`Fixture`]
//! (`fixture.rs`): how a healthy pair of it is started, how a job for it looks, how one row is written. Everything else is
//! asked through the same traits that the product uses.
//!
//! To add a platform: a file with its fixture, and one line `compliance!(name, Fixture);` below. The cases:
//!
//! | case | what must hold |
//! |---|---|
//! | `is_watched`… | the observer says who is the primary and where, with times; a side that is silent is unknown, and no number is made up for it |
//! | …`_and_wrong_pairs_are_refused` | prechecks pass on a healthy pair, and say no to swapped roles, swapped or missing agents, a refused account, a lost target; plans are complete: title, node, time limit and guidance of every step |
//! | `executors_die_anywhere` | each step is given up right after its beginning and in the middle, killed by SIGKILL just before its effect, in the middle and just after it (`killed.rs`), settled by a successor, and run again; with writers at work nothing that was acknowledged is missing, and two nodes never accept writes at once; what is left can be moved back |
//! | `a_failed_move_is_taken_back_or_told` | after each step the move is given up: either the old primary serves again, or the refusal and the account of both nodes are true |
//! | `a_lost_primary_comes_home` | SIGKILL under load, failover, the old primary started by its host: it accepts no write; then the way home, with every step killed in the same ways, while the new primary serves; then it is moved back to |
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

#[expect(dead_code, reason = "the platforms' own tests use the rest of it")]
mod drive;
mod fixture;
mod killed;
mod load;
mod mariadb;
mod moves;
mod patroni;
mod postgresql;
mod redis;
mod refusals;
mod registry;
mod watching;

use fixture::Fixture;

/// All cases for one platform. `None` from its fixture: its servers cannot be had here, and it said why.
macro_rules! compliance {
    ($name:ident, $fixture:ty) => {
        mod $name {
            use crate::{moves, refusals, watching};

            // Neither moves anything: they share a pair.
            compliance!(@case $fixture, is_watched_and_wrong_pairs_are_refused, watching::is_watched, refusals::wrong_pairs_are_refused);
            compliance!(@case $fixture, executors_die_anywhere, moves::executors_die_anywhere);
            compliance!(@case $fixture, a_failed_move_is_taken_back_or_told, moves::a_failed_move_is_taken_back_or_told);
            compliance!(@case $fixture, a_lost_primary_comes_home, moves::a_lost_primary_comes_home);
        }
    };
    (@case $fixture:ty, $case:ident, $($run:path),+) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $case() {
            if let Some(fixture) = <$fixture>::start().await {
                let fixture = std::sync::Arc::new(fixture);
                $($run(fixture.clone()).await;)+
            }
        }
    };
}

mod cases {
    compliance!(mariadb, crate::mariadb::Mariadb);
    compliance!(patroni, crate::patroni::Patroni);
    compliance!(postgresql, crate::postgresql::Postgresql);
    compliance!(redis, crate::redis::Redis);
}

/// The platforms above, for the comparison with the registry.
const SUITE: &[&str] =
    &[mariadb::Mariadb::PLATFORM, patroni::Patroni::PLATFORM, postgresql::Postgresql::PLATFORM, redis::Redis::PLATFORM];
