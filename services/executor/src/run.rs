//! One run with everything around it: the request, what is declared, and the way each resource is moved.
//!
//! Architecture Invariant: nothing here remembers what was done. Every turn reads the log, so a successor in another
//! process goes on exactly where the log ends, and an executor that was replaced is refused at its next append.

use std::time::Duration;

use muster_domain::{
    Refusal,
    execution::{self, Execution},
    pb::{
        common::v1::Marker,
        execution::v1::{Check, CheckOutcome, CheckPhase, ExecutionEvent, ExecutionStarted},
        request::v1::{RequestOpened, RequestState, RequestType},
    },
    request::{self, Request},
};
use muster_eventlog::{Decided, Meta};

use crate::{
    Executor, SERVICE,
    documents::{Documents, Names},
    error::RunError,
    inner, job,
    leg::{Course, Leg, courses, members, move_kind},
    unfinished::RunKey,
};

/// The platform's checks and markers are some statements each, side by side; longer means that something hangs.
pub(crate) const LOOK_LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Run<'a> {
    pub executor: &'a Executor,
    pub key: &'a RunKey,
    pub request: Request,
    pub opened: RequestOpened,
    pub documents: Documents,
    /// Filled when the plan is fixed: see [`Run::prepare`].
    pub legs: Vec<Leg>,
    /// A preflight: there is no request behind it, and nothing is claimed.
    pub only_looks: bool,
}

impl<'a> Run<'a> {
    /// `None`: nobody confirmed such a request, so there is nothing to run.
    pub(crate) async fn load(executor: &'a Executor, key: &'a RunKey) -> Result<Option<Self>, RunError> {
        let ctx = &executor.ctx;
        let request = ctx.log.load::<Request>(&key.tenant, &key.id).await?.state;
        let Some(opened) = request.view.opened.clone().filter(|_| request.view.state() == RequestState::Confirmed)
        else {
            return Ok(None);
        };
        let begun = ctx.log.load::<Execution>(&key.tenant, &key.id).await?.state.view.started;
        let known: Vec<String> = begun.iter().flat_map(members).map(|member| member.resource).collect();
        let mut resources: Vec<&str> = known.iter().map(String::as_str).collect();
        if opened.group.is_empty() && !resources.contains(&opened.resource.as_str()) {
            resources.push(&opened.resource);
        }
        let names = Names { group: &opened.group, resources, plan: opened.plan.as_ref() };
        let documents = Documents::load(ctx, &key.tenant, names).await?;
        Ok(Some(Self { executor, key, request, opened, documents, legs: Vec::new(), only_looks: false }))
    }

    pub(crate) fn request_type(&self) -> RequestType {
        RequestType::try_from(self.opened.r#type).unwrap_or(RequestType::Unspecified)
    }

    /// How each resource is moved, from what the run began with.
    pub(crate) fn prepare(&mut self, started: &ExecutionStarted) {
        self.legs = match self.request_type() {
            // Nothing is touched, so no account is even read.
            RequestType::TabletopDrill => Vec::new(),
            _ => courses(started).into_iter().map(|course| self.leg(course, &started.r#type)).collect(),
        };
        for leg in &mut self.legs {
            let ready = inner::Kind::Ready.id(leg.resource());
            leg.returns_first = started.steps.iter().any(|step| step.id == ready);
        }
    }

    pub(crate) fn leg(&self, course: Course, request_type: &str) -> Leg {
        let Course { id, member } = course;
        // Runs from before there were groups keep the version in the request alone.
        let version = if member.resource_version == 0 { self.opened.resource_version } else { member.resource_version };
        let job = self.documents.resource(&member.resource, version).and_then(|spec| {
            let executor = self.executor;
            let kind = move_kind(request_type);
            let tenant = &self.key.tenant;
            job::build(&executor.ctx, &executor.find_mover, &executor.positions, tenant, &member, kind, spec)
        });
        Leg { id, member, job, returns_first: false }
    }

    /// Whether the log proves the approvals: before that no run logs in to a target.
    pub(crate) async fn is_proven(&self) -> Result<bool, RunError> {
        if self.only_looks {
            return Ok(true);
        }
        let witness = self.executor.ctx.log.witness(&self.key.tenant, &self.request).await?;
        Ok(request::proven_by(&self.request, &witness).is_ok())
    }

    pub(crate) async fn current(&self) -> Result<Execution, RunError> {
        Ok(self.executor.ctx.log.load::<Execution>(&self.key.tenant, &self.key.id).await?.state)
    }

    /// Legs that move something.
    pub(crate) fn moves<'r>(&'r self, execution: &'r Execution) -> impl Iterator<Item = &'r Leg> {
        self.legs.iter().filter(|leg| leg.steps(execution).next().is_some())
    }

    /// Where every node is, as its platform says.
    pub(crate) async fn mark(&self, execution: &Execution, phase: CheckPhase) -> Result<(), RunError> {
        self.ask_integrity(execution, phase).await?;
        let (mut markers, mut unavailable) = (Vec::new(), Vec::new());
        for (found, missing) in futures::future::join_all(self.resources().map(markers_of)).await {
            markers.extend(found);
            unavailable.extend(missing);
        }
        self.decide(|execution, me| {
            execution::record_markers(execution, me, phase, markers.clone(), unavailable.clone())
        })
        .await?;
        Ok(())
    }

    /// One leg of each resource.
    pub(crate) fn resources(&self) -> impl Iterator<Item = &Leg> {
        self.legs.iter().enumerate().filter_map(|(index, leg)| {
            let known = self.legs[..index].iter().any(|other| other.resource() == leg.resource());
            (!known).then_some(leg)
        })
    }

    /// One decision about the execution, as this executor.
    pub(crate) async fn decide(
        &self,
        mut decide: impl FnMut(&Execution, &str) -> Result<Option<ExecutionEvent>, Refusal>,
    ) -> Result<Decided<Execution>, RunError> {
        let me = &self.executor.ctx.instance;
        let RunKey { tenant, id } = self.key;
        let decided = self.executor.ctx.log.decide(tenant, id, &self.meta(), |execution| decide(execution, me)).await;
        Ok(decided?)
    }

    pub(crate) fn meta(&self) -> Meta {
        let ctx = &self.executor.ctx;
        let event_id = ctx.clock.new_id();
        // Everything about a request shares its id.
        let correlation = self.key.id.as_str().parse().unwrap_or(event_id);
        ctx.service_meta(SERVICE, event_id, correlation, None)
    }
}

/// Markers of one resource; what gave none says why.
pub(crate) async fn markers_of(leg: &Leg) -> (Vec<Marker>, Vec<String>) {
    let job = match &leg.job {
        Ok(job) => job,
        Err(error) => return (Vec::new(), vec![format!("{}: {error}", leg.resource())]),
    };
    tokio::time::timeout(LOOK_LIMIT, job.mover.markers(&job.job)).await.unwrap_or_else(|_| {
        (Vec::new(), vec![format!("{}: no answer within {} s", leg.resource(), LOOK_LIMIT.as_secs())])
    })
}

/// Checks that do not come back are one check that is unknown, and unknown holds the run up.
pub(crate) async fn in_time(checks: impl Future<Output = Vec<Check>>) -> Vec<Check> {
    tokio::time::timeout(LOOK_LIMIT, checks).await.unwrap_or_else(|_| {
        vec![Check {
            name: "platform_answers".into(),
            outcome: CheckOutcome::Unknown.into(),
            value: "no answer".into(),
            limit: format!("{} s", LOOK_LIMIT.as_secs()),
            text: "the checks did not come back in time".into(),
            ..Check::default()
        }]
    })
}
