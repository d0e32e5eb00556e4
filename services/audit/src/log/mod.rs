//! The transparency log over the record: leaves, tiles, checkpoints, keys. How to live with it: docs/transparency-log.md.
//!
//! | module | what |
//! |---|---|
//! | [`run`] | the logs of all tenants: who signs, what happens when one stops |
//! | [`begin`], [`promotion`], [`epoch`] | where a signer goes on, and when a new epoch opens instead |
//! | [`writer`], [`growth`], [`publish`], [`signer`] | leaves to files to checkpoints, in an order that a crash cannot break |
//! | [`witnessing`], [`witness`], [`anchor`], [`keeper`] | from signed to witnessed, and copies elsewhere |
//! | [`compare`], [`fsck`] | the log against the stream as it is now |
//! | [`rpc`], [`prove`], [`change_keys`] | the API |
//! | [`stream_watch`] | whether the streams themselves are left alone |
//!
//! Between the writer of a log and those who vouch for it or keep copies stand the types of [`vouch`]: the writer knows
//! neither the protocol of witnesses nor what an anchor is.
//!
//! Architecture Invariant: what is signed is kept first. No code signs a tree without [`signer::Signer::advance`].

mod anchor;
mod begin;
mod change_keys;
mod compare;
#[cfg(test)]
mod crash_tests;
mod epoch;
mod fault;
mod follow;
mod fsck;
mod growth;
mod keeper;
mod key_changes;
mod keys;
mod leaves;
mod parts;
mod policy;
mod promotion;
mod proofs;
mod prove;
mod publish;
mod record;
mod rpc;
mod run;
mod signatures;
mod signer;
mod status;
mod stream_watch;
mod vouch;
mod witness;
mod witnessing;
mod writer;

pub(crate) use change_keys::{revoke_log_key, rotate_log_key};
pub use compare::Finding;
pub(crate) use fault::Fault;
pub use fsck::{FsckError, FsckReport, fsck};
pub(crate) use key_changes::{lines as key_change_lines, of_epoch as key_changes_of_epoch};
pub(crate) use prove::{prove_event, stream_leaves};
pub(crate) use rpc::{get_log, read_log_file};

use muster_runtime::{Context, Service};

/// Adds the writer of the logs, and the watch over the streams.
pub(crate) fn with_log(service: Service, context: &Context) -> Service {
    let (watched, store) = (context.clone(), context.log_store.clone());
    let service = service.task("stream watch", move || stream_watch::run(watched.clone(), store.clone()));
    match parts::Parts::open(context) {
        Ok(None) => service,
        Ok(Some(parts)) => {
            let (board, shutdown) = (parts.board.clone(), context.shutdown.clone());
            service.task("transparency log", move || run::run(parts.clone(), shutdown.clone())).notice(
                "transparency log",
                move || {
                    let problem = board.problem();
                    async move { problem.map_or(Ok(()), Err) }
                },
            )
        }
        // A configuration that validation should have refused: said at every start of the task, and in readiness.
        Err(problem) => service.task("transparency log", move || {
            let problem = problem.clone();
            async move { Err::<(), String>(problem) }
        }),
    }
}
