//! What the steps of a plan do besides moving a platform, and the conditions around them.
//!
//! A [`PlanStep`] comes as it was approved, with the values of the run's direction filled in (`muster_domain::plan::unfold`).
//! Its life is that of every other step: look ([`probe`]), claim, do ([`run`]), write down. `move` and `manual` steps are
//! not of this module.
//!
//! | kind | the effect is seen by | twice |
//! |---|---|---|
//! | wait | the condition itself | harmless |
//! | dns | the value on every server | harmless: a value prerequisite lets only one change through |
//! | notify | the step's own outcome in the log: the notifier makes the message of it | one message, by the event's id |
//! | http, command | nothing: what they did is not ours to see | only when the step says `idempotent` |
//!
//! So a claimed http or command step without an outcome is [`Probe::Unknown`] unless it is idempotent: the caller says with
//! [`Look::AfterClaim`] that there was a claim.
//!
//! # For the caller
//! - One [`Surroundings`] for a run: `Surroundings::new(ctx, tenant, run, resources)`; [`Resources`] answers what only the run
//!   knows of its members.
//! - Before a step [`checks`] of its `prechecks`, after it of its `postchecks`; all must have passed.
//! - Limits: a step without a timeout has [`DEFAULT_TIMEOUT`]; [`run`] keeps to it by itself.

mod command;
mod condition;
mod dns;
mod http;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use muster_domain::{
    TenantId,
    delivery::lifecycle::NOTICE,
    pb::{
        execution::v1::Check,
        plan::v1::{Action, Condition, PlanStep, action::Kind},
    },
    time::duration_from_pb,
};
use muster_platform::{Facts, Probe, StepDone, StepError};
use muster_runtime::{
    Clock, Context, SecretResolver,
    config::PlanCommand,
    outgoing::{AllowListError, Policy},
};

/// For a step whose plan names no limit.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// How often something that is waited for is looked at.
const POLL: Duration = Duration::from_secs(1);

/// What steps work with.
pub(crate) struct Surroundings {
    pub tenant: TenantId,
    /// The request's id: marks the processes of a command, so that a successor finds them.
    pub run: String,
    pub secrets: SecretResolver,
    pub commands: BTreeMap<String, PlanCommand>,
    pub clock: Clock,
    pub resources: Arc<dyn Resources>,
    outgoing: http::Outgoing,
}

impl Surroundings {
    pub(crate) fn new(
        ctx: &Context,
        tenant: TenantId,
        run: String,
        resources: Arc<dyn Resources>,
    ) -> Result<Self, AllowListError> {
        let config = &ctx.config.executor;
        Ok(Self {
            tenant,
            run,
            secrets: ctx.secrets.clone(),
            commands: config.commands.clone(),
            clock: ctx.clock.clone(),
            resources,
            outgoing: http::Outgoing::new(Policy::steps(&config.http_allow)?),
        })
    }
}

/// What a condition asks about the run's members. Answers come from the systems themselves, now.
#[async_trait]
pub(crate) trait Resources: Send + Sync {
    /// Whether its primary runs at the run's target site. `Err`: it cannot be told, with the reason.
    async fn at_target(&self, resource: &str) -> Result<Seen, String>;

    /// Whether its other side follows and has caught up.
    async fn protected(&self, resource: &str) -> Result<Seen, String>;

    /// The one value of a query on its primary, as text (`muster_platform::integrity::one_value`).
    async fn one_value(&self, resource: &str, query: &str, limit: Duration) -> Result<String, String>;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub holds: bool,
    /// For people: "pg-b at ams is the primary".
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Nobody has claimed the step.
    BeforeClaim,
    /// It was claimed and has no outcome: somebody may have begun it.
    AfterClaim,
}

/// Whether the step's effect is there. Changes nothing.
pub(crate) async fn probe(step: &PlanStep, look: Look, s: &Surroundings) -> Probe {
    let Some(kind) = kind(step.action.as_ref()) else { return Probe::Unknown(NO_ACTION.to_owned()) };
    match kind {
        Kind::Wait(wait) => Box::pin(condition::probe(wait.until.as_ref(), s)).await,
        Kind::Dns(action) => Box::pin(dns::probe(action, s)).await,
        Kind::Notify(_) => Probe::NotDone,
        Kind::Http(_) | Kind::Command(_) if look == Look::AfterClaim && !step.idempotent => {
            Probe::Unknown("it was begun, nobody saw its end, and it must not be done twice".to_owned())
        }
        Kind::Http(_) | Kind::Command(_) => Probe::NotDone,
        Kind::Move(_) | Kind::Manual(_) => Probe::Unknown(NOT_OURS.to_owned()),
    }
}

/// Does it, within the step's limit.
pub(crate) async fn run(step: &PlanStep, s: &Surroundings) -> Result<StepDone, StepError> {
    let limit = limit_of(step);
    match kind(step.action.as_ref()).ok_or_else(|| StepError::refused(NO_ACTION))? {
        Kind::Wait(wait) => Box::pin(condition::wait(wait.until.as_ref(), limit, s)).await,
        Kind::Http(action) => Box::pin(http::run(action, step.idempotent, limit, s)).await,
        Kind::Dns(action) => Box::pin(dns::run(action, limit, s)).await,
        Kind::Command(action) => Box::pin(command::run(action, step, limit, s)).await,
        Kind::Notify(action) => notify(&action.text),
        Kind::Move(_) | Kind::Manual(_) => Err(StepError::refused(NOT_OURS)),
    }
}

/// One condition, asked now. Never fails: what cannot be found out is a check with that outcome.
pub(crate) async fn check(name: &str, condition: &Condition, s: &Surroundings) -> Check {
    // On the heap: the callers' own futures stay small.
    Box::pin(condition::check(name, condition, s)).await
}

/// Each of them, in order, named "<step>/precheck-1".
pub(crate) async fn checks(step: &str, what: &str, conditions: &[Condition], s: &Surroundings) -> Vec<Check> {
    let mut found = Vec::new();
    for (at, condition) in conditions.iter().enumerate() {
        found.push(check(&format!("{step}/{what}-{}", at + 1), condition, s).await);
    }
    found
}

const NO_ACTION: &str = "the step says nothing to do: it was written for a newer version of Muster";
const NOT_OURS: &str = "a platform or a person does this step";

fn kind(action: Option<&Action>) -> Option<&Kind> {
    action?.kind.as_ref()
}

fn limit_of(step: &PlanStep) -> Duration {
    duration_from_pb(step.timeout.as_ref())
        .and_then(|limit| Duration::try_from(limit).ok())
        .filter(|limit| !limit.is_zero())
        .unwrap_or(DEFAULT_TIMEOUT)
}

/// The outcome's event is what the notifier tells people of.
fn notify(text: &str) -> Result<StepDone, StepError> {
    if text.trim().is_empty() {
        return Err(StepError::refused("the notice has no text"));
    }
    Ok(StepDone { note: text.to_owned(), outputs: Facts::from([(NOTICE.to_owned(), text.to_owned())]) })
}
