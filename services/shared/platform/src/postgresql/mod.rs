//! PostgreSQL streaming replication without a cluster manager, versions 13 to 18: two servers, one
//! replicates from the other, and a host agent can stop and start them.

mod errors;
mod facts;
mod lsn;
mod observe;
mod session;

pub use lsn::{InvalidLsn, Lsn};
