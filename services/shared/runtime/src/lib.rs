//! What every Muster process stands on: configuration, login and roles, telemetry, health, one listener, orderly end.
//!
//! # A process
//! ```no_run
//! # use muster_runtime::{Config, Context, Service, Telemetry, config::Profile, serve};
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::load(None, Profile::Production)?;      // defaults <- muster.toml <- MUSTER_SECTION__KEY
//! let telemetry = Telemetry::install(&config.telemetry, "approval")?;
//! let listener = tokio::net::TcpListener::bind(config.server.listen).await?;
//! let context = Context::connect(config, &[/* the services' schemas */]).await?;
//! // SIGTERM: context.shutdown.cancel()
//! let service = Service::new("approval"); // .grpc(server).http(router).task(name, make).check(name, check)
//! serve(context, vec![service], listener).await?;
//! telemetry.shutdown().await;
//! # Ok(()) }
//! ```
//!
//! # A handler
//! ```
//! # use muster_runtime::{Context, IntoStatus};
//! # use muster_domain::{AggregateId, Refusal, denial::Denial, pb::request::v1::*};
//! # use tonic::{Request, Response, Status};
//! # fn decide(_: &Denial) -> Result<Option<muster_domain::pb::identity::v1::DenialEvent>, Refusal> { Ok(None) }
//! # async fn deny(ctx: Context, request: Request<DenyRequestRequest>) -> Result<Response<DenyRequestResponse>, Status> {
//! let (ask, call) = ctx.authorize(request).await?.split();   // who, which tenant, may they; denials are recorded
//! let meta = call.meta(&ask.idempotency_key)?;               // same key, same caller, same method: same event id
//! # let id: AggregateId = ask.request_id.parse().map_err(|_| Status::invalid_argument(""))?;
//! let decided = match ctx.log.decide(&call.tenant, &id, &meta, |state| decide(state)).await {
//!     Err(muster_eventlog::DecideError::Refused(refusal)) => {
//!         return Err(ctx.deny(&call, &refusal, "orders-db", &ask.request_id).await); // recorded, and the status
//!     }
//!     other => other.map_err(IntoStatus::into_status)?,
//! };
//! # Ok(Response::new(DenyRequestResponse { request: None, version: decided.sequence })) }
//! ```
//!
//! # Where what is
//! | module | what |
//! |---|---|
//! | [`config`] | [`Config`] and its sections, [`config::reference`] for docs/config.md |
//! | [`clock`] | [`Clock`]: the only source of time and fresh ids; [`Clock::manual`] for tests |
//! | [`context`] | [`Context`]: config, log, database, clock, secrets, health, shutdown; [`service_actor`] |
//! | [`auth`] | bearer tokens: [`Authenticator::verify`] gives a [`Caller`] |
//! | [`access`] | [`Context::authorize`] gives a [`Call`]; [`Context::deny`] records a refusal of the rules |
//! | [`intent_links`] | [`intent_links::IntentLinks`]: signs and opens the links of messages to approvers |
//! | [`issuer`] | the OpenID Connect provider of `muster up` |
//! | [`status`] | [`refused`], [`unavailable`], [`IntoStatus`] for errors of log and database, `refusal_of` for clients |
//! | [`outgoing`] | where webhooks and steps of plans may connect to |
//! | [`witnessed`] | [`Context::witnessed`]: whether an event's checkpoint is cosigned, waited for a moment |
//! | [`page`], [`idempotency`], [`secrets`] | page tokens, event ids of commands, `file:` and `env:` references per tenant |
//! | [`serve()`], [`Service`], [`tasks`] | one listener, supervised tasks, bounded drain |
//! | [`health`] | /livez, /readyz, grpc.health.v1; [`Service::watch_projection`] |
//! | [`telemetry`] | logs with trace ids, OTLP traces, /metrics, `current_traceparent` |
//!
//! Architecture Invariant: nothing here knows a rule of the domain beyond who may call what. No other crate reads the
//! environment or the clock.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod access;
pub mod auth;
pub mod clock;
pub mod config;
pub mod context;
pub mod health;
pub mod idempotency;
pub mod identity;
pub mod intent_links;
pub mod issuer;
mod lag;
pub mod look;
pub mod outgoing;
pub mod page;
mod published;
pub mod secrets;
pub mod serve;
pub mod status;
pub mod tasks;
pub mod telemetry;
pub mod tenants;
pub mod witnessed;

#[cfg(test)]
mod testing;

pub use access::{Access, Call, TenantScoped};
pub use auth::{Authenticator, Caller};
pub use clock::{Clock, ManualTime};
pub use config::Config;
pub use context::{Context, StartError, service_actor};
pub use health::Health;
pub use intent_links::IntentLinks;
pub use secrets::{Owner, SecretResolver};
pub use serve::{Service, serve};
pub use status::{IntoStatus, refused, unavailable};
pub use telemetry::Telemetry;
