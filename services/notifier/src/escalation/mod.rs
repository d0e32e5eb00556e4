//! Alerts that somebody has to answer for.
//!
//! `reactor` begins and ends them with the alerts of the log and tells what was decided; `timer` decides what is due
//! while nobody answers; `answer` takes what people say, `pagerduty` what they say there. Each decision is an event
//! first, and only then told: a crash between the two is made good by the reactor.

pub(crate) mod answer;
mod open_alerts;
pub(crate) mod pagerduty;
pub(crate) mod projection;
pub(crate) mod reactor;
pub(crate) mod rules;
pub(crate) mod runbooks;
mod timer;

pub(crate) use open_alerts::OpenAlerts;

use std::sync::Arc;

use muster_domain::delivery::alert_rule::Subject;
use muster_domain::delivery::message::kind;
use muster_domain::delivery::{Escalation, Message, Severity};
use muster_domain::{AggregateId, InvalidId, TenantId};
use muster_eventlog::{ReactError, TimerKey, run_projection, run_reactor, run_timers};
use muster_runtime::{Context, Service};

use crate::outbox::Outbox;

/// What it is made of.
pub(crate) struct Parts {
    pub(crate) ctx: Context,
    pub(crate) outbox: Outbox,
    pub(crate) answers: answer::Answers,
}

impl Parts {
    /// Its tasks and its pages.
    pub(crate) fn add_to(self, service: Service) -> Service {
        let Self { ctx, outbox, answers } = self;
        let alerts = Arc::new(reactor::Escalations { ctx: ctx.clone(), outbox });
        let (log, db, stop) = (ctx.log.clone(), ctx.db.clone(), ctx.shutdown.clone());
        let react = move || run_reactor(log.clone(), db.clone(), alerts.clone(), stop.clone());
        let due = Arc::new(timer::Due { ctx: ctx.clone() });
        let (log, stop) = (ctx.log.clone(), ctx.shutdown.clone());
        let decide = move || run_timers(log.clone(), timer::TIMERS, due.clone(), stop.clone());
        let rows = Arc::new(projection::Escalations);
        let (log, db, stop) = (ctx.log, ctx.db, ctx.shutdown);
        let project = move || run_projection(log.clone(), db.clone(), rows.clone(), stop.clone());
        service
            .http(runbooks::router())
            .http(pagerduty::router(answers))
            .task("escalations", react)
            .task("unanswered alerts", decide)
            .task("read model of alerts", project)
    }
}

/// A message about an alert as the tenant's rules want it. `None`: it is not told, since a rule says so or somebody has
/// silenced the alert.
pub(crate) async fn shaped(
    ctx: &Context,
    outbox: &Outbox,
    tenant: &TenantId,
    message: Message,
) -> Result<Option<Message>, ReactError> {
    let Some(message) = rules::shaped(ctx, &outbox.routes, tenant, message) else { return Ok(None) };
    let changed = message.kind != kind::ALERT_RESOLVED && !message.opens_thread;
    if changed && is_silent(ctx, tenant, &message).await? {
        return Ok(None);
    }
    Ok(Some(message))
}

/// A change of a silenced alert waits with it, unless it has become what nobody may silence.
async fn is_silent(ctx: &Context, tenant: &TenantId, message: &Message) -> Result<bool, ReactError> {
    if Subject::of(message).is_tier_one_breach() || message.severity == Severity::Critical {
        return Ok(false);
    }
    let id: AggregateId = message.alert_id.parse().map_err(|e: InvalidId| ReactError::Failed(e.to_string()))?;
    let state = ctx.log.load::<Escalation>(tenant, &id).await?.state;
    Ok(state.silent_until(ctx.clock.now()).is_some())
}

/// One timer for each alert: when something is due next.
fn timer_of(tenant: &TenantId, alert_id: &str) -> TimerKey {
    TimerKey { tenant: tenant.clone(), handler: timer::TIMERS.to_owned(), key: alert_id.to_owned() }
}
