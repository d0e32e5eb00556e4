//! A schedule fell due: its request is opened, like everybody's, and waits for people, like everybody's.
//!
//! The requester is whoever declared the schedule: to declare it was to ask. What stands in the way now may be gone in
//! an hour, so a refusal is told and the request is tried again until its window is over.

use std::{convert::Infallible, sync::Arc};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    Aggregate, AggregateId, Refusal, TenantId,
    ids::derived_id,
    inventory::{DocumentVersions, document_id},
    pb::{
        common::v1::{Actor, ActorKind},
        inventory::v1::{Document, Kind, ScheduleSpec, document::Spec},
        plan::v1::plan_spec,
        request::v1::RequestType,
        schedule::v1::{ScheduleEvent, ScheduleFired, schedule_event::Event},
    },
    plan,
    refusal::{describe, refusal},
    request::{self, Case, OpenRequest, Request, Scheduled},
    schedule::{self, Schedule, What, what_of},
    time::from_pb,
};
use muster_eventlog::{
    DecideError, ReactError, Reactor, Record, TimerError, TimerFired, TimerHandler, TimerKey, reaction_id,
};
use muster_runtime::{IntoStatus, refused, status::refusal_of};
use prost::Message;
use tonic::Status;
use uuid::Uuid;

use crate::{
    Approval, SERVICE,
    open::{Asked, names},
};

/// The timers' handler and the reactor's position: stored, for ever.
pub(crate) const AGAIN: &str = "approval.scheduled";
/// A refused request is tried again so often until its window is over.
const TRY_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(10);

pub(crate) struct OpenScheduled(pub(crate) Arc<Approval>);

#[async_trait]
impl Reactor for OpenScheduled {
    fn name(&self) -> &'static str {
        AGAIN
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[Schedule::KIND]
    }

    async fn react(&self, record: &Record) -> Result<(), ReactError> {
        let Some(Event::Fired(fired)) = record.decode::<ScheduleEvent>()?.event else { return Ok(()) };
        // A review needs no request.
        if fired.request_id.is_empty() {
            return Ok(());
        }
        let due = Occasion { tenant: &record.tenant, schedule: &record.id, fired: &fired, cause: record.event_id };
        self.0.open_scheduled(&due).await.map_err(ReactError::Unavailable)
    }
}

/// Tries once more what was refused.
pub(crate) struct TryAgain(pub(crate) Arc<Approval>);

#[async_trait]
impl TimerHandler for TryAgain {
    async fn fire(&self, timer: TimerFired) -> Result<(), TimerError> {
        let kept = Kept::decode(timer.payload.clone()).map_err(|error| TimerError(error.to_string()))?;
        let (Some(fired), Ok(cause)) = (&kept.fired, kept.cause.parse()) else {
            return Err(TimerError("the timer does not say what fell due".to_owned()));
        };
        let due = Occasion { tenant: &timer.tenant, schedule: &kept.schedule, fired, cause };
        self.0.open_scheduled(&due).await.map_err(TimerError)
    }
}

/// What a timer keeps of a due time.
#[derive(Clone, PartialEq, Message)]
struct Kept {
    #[prost(string, tag = "1")]
    schedule: String,
    #[prost(message, optional, tag = "2")]
    fired: Option<ScheduleFired>,
    #[prost(string, tag = "3")]
    cause: String,
}

/// One due time of one schedule.
#[derive(Clone, Copy)]
struct Occasion<'a> {
    tenant: &'a TenantId,
    schedule: &'a str,
    fired: &'a ScheduleFired,
    /// The event that said so.
    cause: Uuid,
}

impl Approval {
    /// Ends well when the request is there, or when its refusal is told and it will be tried again. An error is something
    /// that is away.
    async fn open_scheduled(&self, due: &Occasion<'_>) -> Result<(), String> {
        let now = self.ctx.clock.now();
        let (Some(due_at), Some(lapses_at)) =
            (from_pb(due.fired.due_at.as_ref()), from_pb(due.fired.lapses_at.as_ref()))
        else {
            tracing::error!(schedule = due.schedule, "a due time without its times opens nothing");
            return Ok(());
        };
        if now >= lapses_at {
            return Ok(());
        }
        match Box::pin(self.try_to_open(due, due_at, lapses_at, now)).await {
            Ok(()) => Ok(()),
            Err(status) => match refusal_of(&status) {
                Some(refusal) => self.told_and_kept(due, due_at, lapses_at, &refusal, now).await,
                None => Err(status.message().to_owned()),
            },
        }
    }

    async fn try_to_open(
        &self,
        due: &Occasion<'_>,
        due_at: Timestamp,
        lapses_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), Status> {
        let id: AggregateId =
            due.fired.request_id.parse().map_err(|_| Status::internal("a due time without a request id"))?;
        if self.ctx.log.load::<Request>(due.tenant, &id).await.map_err(IntoStatus::into_status)?.state.exists() {
            return Ok(());
        }
        if !self.sight.is_caught_up() {
            return Err(Status::unavailable("still reading what was seen last"));
        }
        let document = self.declared(due).await?;
        let Some(Spec::ScheduleSpec(spec)) = &document.spec else { return Err(refused(&not_declared(due.schedule))) };
        let Some(What::Run(kind)) = what_of(&spec.what) else { return Err(refused(&not_declared(due.schedule))) };
        let (group, resource) = self.scope_of(due.tenant, spec).await?;
        let inventory = self.scope_documents(due.tenant, &group, &resource).await?;
        let mut command = command(&id, kind, due, spec, &group, &resource);
        command.scheduled = Some(Scheduled { schedule: due.schedule.to_owned(), due_at, expires_at: lapses_at });
        let asked = Asked { tenant: due.tenant, now, group: &group, resource: &resource };
        let facts = self.facts(&asked, &command, None, &inventory).await?;
        let seen_at = self.sight.seen_at(due.tenant, &names(&facts.scope), now);
        let last_seen = self.sight.last_seen(due.tenant, &names(&facts.scope));
        let case = Case {
            scope: &facts.scope,
            plan: facts.plan.as_ref().map(|plan| &plan.document),
            policy: &facts.policy,
            gate: &facts.gate,
            evidence: Some(facts.evidence),
            seen_at: &seen_at,
            last_seen: &last_seen,
            earlier: None,
        };
        let requester = declarer(&document);
        let event_id = derived_id(&[AGAIN, due.tenant.as_str(), id.as_str()]);
        let correlation = id.as_str().parse().unwrap_or(event_id);
        let meta = self.ctx.service_meta(SERVICE, event_id, correlation, Some(due.cause));
        let decide = |request: &Request| request::open(request, &command, &case, &requester, now);
        match self.ctx.log.decide::<Request, Refusal>(due.tenant, &id, &meta, decide).await {
            Ok(_) => Ok(()),
            Err(DecideError::Refused(refusal)) => Err(refused(&refusal)),
            Err(error) => Err(error.into_status()),
        }
    }

    /// The schedule in the version that fell due.
    async fn declared(&self, due: &Occasion<'_>) -> Result<Document, Status> {
        let id = document_id(Kind::Schedule, due.schedule).map_err(|_| refused(&not_declared(due.schedule)))?;
        let loaded = self.ctx.log.load::<DocumentVersions>(due.tenant, &id).await.map_err(IntoStatus::into_status)?;
        let version = loaded.state.version(due.fired.schedule_version).cloned();
        version.ok_or_else(|| refused(&not_declared(due.schedule)))
    }

    /// (group, resource): named, or those of the plan that is named.
    async fn scope_of(&self, tenant: &TenantId, spec: &ScheduleSpec) -> Result<(String, String), Status> {
        if spec.plan.is_empty() {
            return Ok((spec.group.clone(), spec.resource.clone()));
        }
        let published = self.ctx.log.published_plan(tenant, &spec.plan).await.map_err(IntoStatus::into_status)?;
        let scope =
            published.as_ref().and_then(|found| plan::spec_of(&found.document)).and_then(|plan| plan.scope.clone());
        match scope {
            Some(plan_spec::Scope::Group(group)) => Ok((group, String::new())),
            Some(plan_spec::Scope::Resource(resource)) => Ok((String::new(), resource)),
            None => Err(refused(&refusal(
                "PLAN_NOT_PUBLISHED",
                "a run uses a plan that was reviewed and published",
                spec.plan.clone(),
                "a published plan",
                "publish it with `muster plan publish`; the schedule tries again until its window is over",
            ))),
        }
    }

    async fn told_and_kept(
        &self,
        due: &Occasion<'_>,
        due_at: Timestamp,
        lapses_at: Timestamp,
        why: &Refusal,
        now: Timestamp,
    ) -> Result<(), String> {
        tracing::warn!(tenant = %due.tenant, schedule = due.schedule, why = describe(why), "a schedule's request could not be opened");
        let id: AggregateId = due.schedule.parse().map_err(|error: muster_domain::InvalidId| error.to_string())?;
        let event_id = reaction_id(&format!("{AGAIN} {}", why.code), due.cause);
        let correlation = due.fired.request_id.parse().unwrap_or(event_id);
        let meta = self.ctx.service_meta(SERVICE, event_id, correlation, Some(due.cause));
        let decide = |schedule: &Schedule| Ok(schedule::open_failed(schedule, due_at, why, now));
        let told = self.ctx.log.decide::<Schedule, Infallible>(due.tenant, &id, &meta, decide).await;
        told.map_err(|error| error.to_string())?;
        let again = now.checked_add(TRY_AGAIN_AFTER).unwrap_or(lapses_at);
        if again >= lapses_at {
            return Ok(());
        }
        let fired = ScheduleFired { missed: Vec::new(), ..due.fired.clone() };
        let kept = Kept { schedule: due.schedule.to_owned(), fired: Some(fired), cause: due.cause.to_string() };
        let (handler, key) = (AGAIN.to_owned(), due.fired.request_id.clone());
        let key = TimerKey { tenant: due.tenant.clone(), handler, key };
        self.ctx.log.timers().set(&key, again, &kept.encode_to_vec()).await.map_err(|error| error.to_string())
    }
}

fn command(
    id: &AggregateId,
    kind: RequestType,
    due: &Occasion<'_>,
    spec: &ScheduleSpec,
    group: &str,
    resource: &str,
) -> OpenRequest {
    let reason = match spec.reason.trim() {
        "" => format!("{} by schedule {}", spec.what, due.schedule),
        reason => reason.to_owned(),
    };
    OpenRequest {
        request_id: id.to_string(),
        kind,
        resource: resource.to_owned(),
        group: group.to_owned(),
        target_site: spec.target_site.clone(),
        plan: spec.plan.clone(),
        reason,
        ticket: spec.ticket.clone(),
        ..OpenRequest::default()
    }
}

/// Whoever declared this version: the requester, who does not approve. Nobody else is named by it, so an identity that is
/// missing blocks the run instead of opening it for everybody.
fn declarer(document: &Document) -> Actor {
    let id = document.declared_by.clone();
    let name = id.rsplit_once('|').map_or(id.as_str(), |(_, subject)| subject).to_owned();
    Actor { id, name, kind: ActorKind::Unspecified.into(), roles: Vec::new() }
}

fn not_declared(schedule: &str) -> Refusal {
    refusal(
        "SCHEDULE_NOT_FOUND",
        "there is no such schedule in use in this tenant",
        schedule.chars().take(80).collect::<String>(),
        "a declared schedule of a drill or a rotation",
        "list them with `muster schedule list`",
    )
}
