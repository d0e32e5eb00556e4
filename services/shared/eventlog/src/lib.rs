//! The immutable event log on NATS JetStream, and the read models in PostgreSQL that follow it.
//!
//! A fact is in the log or it did not happen. What this crate guarantees, and by what:
//!
//! | guarantee | by |
//! |---|---|
//! | of any number of racing writers of one version, one wins | each version has its own subject, which the *server* lets be written once ([`append`]) |
//! | no version is skipped | an append expects the version before it as the aggregate's newest ([`append`]) |
//! | an event is stored once, also if no answer came | the leader is asked what stands at that version before it is sent again ([`append`]) |
//! | several events are stored all or none | the server's atomic batches ([`batch`]) |
//! | a command asked for twice is carried out once | the aggregate's event ids ([`decide`](EventLog::decide)) |
//! | each event counts once in a table | events and position in one PostgreSQL transaction ([`projection`]) |
//! | each reaction happens at least once, in order | the position is written after it ([`reactor`]) |
//! | what cannot be taken in is never skipped in silence and holds up nobody else | parking ([`park`]) |
//! | a tenant's payloads are read only where its key is, and a key opens one text for one event | encryption that commits to its key ([`keyring`]) |
//! | who changes or drops an event before the audit's log has it leaves a trace | producers' signatures, and looking up what was acknowledged ([`ProducerCheck`], [`run_self_audit`]) |
//! | a timer fires although everybody was away, and says how late | the server's schedules, and a watch over them ([`timers`]) |
//! | a tenant's rows are seen in the tenant's transactions only | row-level security, forced ([`db`]) |
//!
//! What a service's user may do on the NATS servers, and no more: publish to `rec.>`, `obs.>`, `timer.>`, `due.>` and
//! `$KV.LEASES.>`; `$JS.API.INFO`, `$JS.API.STREAM.{INFO,MSG.GET}.>`, `$JS.API.DIRECT.GET.>`,
//! `$JS.API.CONSUMER.{CREATE,DELETE,MSG.NEXT}.>`, `$JS.ACK.>`; subscribe to `_INBOX_<user>.>`. Who registers tenants
//! also publishes to `control.>` and may `$JS.API.STREAM.CREATE.>`; the audit service also subscribes to
//! `$JS.EVENT.ADVISORY.STREAM.>` and `$JS.EVENT.ADVISORY.API`.
//!
//! Architecture Invariant: nothing here updates, purges or deletes a stream, or a message of one. The services have no
//! permission to, so code that needs it cannot work.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod append;
mod approved;
pub mod batch;
mod config;
pub mod db;
mod decide;
mod entries;
mod error;
mod follow;
pub mod keyring;
mod lease;
mod live;
pub mod load;
mod log;
mod names;
pub mod observations;
mod outgoing;
mod owners;
pub mod park;
pub mod position;
mod producer;
pub mod projection;
mod provision;
mod raw;
pub mod reactor;
mod rebuild;
mod record;
mod retry;
mod seal;
mod selfaudit;
mod shards;
mod shred;
mod stream_state;
mod streams;
pub mod timers;
mod verify;
mod wire;

pub use append::{Appended, MAX_EVENT_BYTES};
pub use approved::{Approved, PublishedPlan};
pub use batch::{MAX_BATCH, Pending};
pub use config::LogConfig;
pub use db::{Database, DatabaseError, Migration, Schema};
pub use decide::{Decided, Outcome};
pub use entries::Entry;
pub use error::{AppendError, DecideError, LogError};
pub use lease::Lease;
pub use live::{LiveFold, live_fold};
pub use load::Loaded;
pub use log::EventLog;
pub use names::{EventAddress, OBSERVATION_SHARDS, shard_of, shard_of_tenant};
pub use observations::{ObservationStart, StoredObservations};
pub use owners::run_for_tenants;
pub use park::{PARKED_KIND, PARKED_TYPE};
pub use position::{WaitError, wait_for};
pub use producer::{ProducerCheck, ProducerFinding, ProducerFlaw};
pub use projection::{Projection, ProjectionError, project_tenant, run_projection};
pub use raw::{RawEntry, RawFollower};
pub use reactor::{ReactError, Reactor, position_of, reaction_id, run_reactor};
pub use rebuild::{Progress, RebuildError, rebuild};
pub use record::{Cause, Meta, Record, Unreadable};
pub use selfaudit::{Logged, PublishedLog, run_self_audit};
pub use shards::own_shards;
pub use stream_state::{StreamAdvisory, StreamState};
pub use timers::{TimerError, TimerFired, TimerHandler, TimerKey, Timers, run_timers};
pub use verify::{Difference, OLDEST_SERVER, Verified};
