//! One run, from its log to its end: look at what comes next, do just that, write it down, look again.
//!
//! Architecture Invariant: nothing here remembers what was done. Every turn reads the log, so a successor in another
//! process goes on exactly where the log ends, and an executor that was replaced is refused at its next append.

use std::time::Duration;

use muster_domain::{
    AggregateId, Refusal,
    execution::{self, Execution, Next, Reservation},
    pb::{
        common::v1::Marker,
        execution::v1::{Check, CheckOutcome, CheckPhase, ExecutionEvent},
        request::v1::RequestState,
    },
    request::Request,
};
use muster_eventlog::{DecideError, Decided, Meta};

use crate::{
    Executor, SERVICE, checks,
    error::RunError,
    job::{self, Job, JobError, Versions},
    unfinished::RunKey,
};

/// The platform's checks and markers are some statements each, side by side; longer means that something hangs.
const LOOK_LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Run<'a> {
    pub executor: &'a Executor,
    pub key: &'a RunKey,
    pub request: Request,
    pub versions: Versions,
    /// The resource that is moved; its reservation has this id.
    pub resource: AggregateId,
    pub job: Result<Job, JobError>,
}

/// Works on a run until it has ended, the process is to stop, or it is not ours any more.
pub(crate) async fn drive(executor: &Executor, key: &RunKey) -> Result<(), RunError> {
    let Some(run) = Run::load(executor, key).await? else { return Ok(()) };
    run.begin(None).await?;
    run.take_over().await?;
    while !executor.ctx.shutdown.is_cancelled() {
        let execution = run.current().await?;
        if matches!(execution::next(&execution), Next::Nothing) {
            return run.release().await;
        }
        run.advance(&execution).await?;
    }
    tracing::info!("stopping: another executor goes on with this run");
    Ok(())
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
        // A declared resource's name is an id; another one would be a request that no service of ours opened.
        let resource =
            opened.resource.parse().map_err(|e: muster_domain::InvalidId| RunError::NotOurs(e.to_string()))?;
        let versions = Versions::load(ctx, &key.tenant, &opened.resource).await?;
        let job = versions
            .resource(opened.resource_version)
            .and_then(|spec| job::build(ctx, &executor.find_mover, &executor.positions, &key.tenant, &opened, spec));
        Ok(Some(Self { executor, key, request, versions, resource, job }))
    }

    pub(crate) async fn current(&self) -> Result<Execution, RunError> {
        Ok(self.executor.ctx.log.load::<Execution>(&self.key.tenant, &self.key.id).await?.state)
    }

    async fn advance(&self, execution: &Execution) -> Result<(), RunError> {
        let job = match &self.job {
            Ok(job) => job,
            Err(error) => return self.end_without_job(execution, error).await,
        };
        match execution::next(execution) {
            Next::Precheck => self.precheck(job).await,
            Next::EndUnready(checks) => self.end_unready(job, execution, &checks).await,
            Next::MarkBefore => self.mark(job, CheckPhase::Before).await,
            Next::Run(step) => self.run_step(job, execution, step).await,
            Next::Settle(step) => self.settle(job, execution, step).await,
            Next::EndFailedStep(step) => self.end_failed_step(job, execution, step).await,
            Next::EndStopped(step) => self.end_stopped(job, execution, step, None).await,
            Next::MarkAfter => self.mark(job, CheckPhase::After).await,
            Next::Postcheck => self.postcheck(job, execution).await,
            Next::EndUnhealthy(checks) => self.end_unhealthy(job, execution, &checks).await,
            Next::Succeed => self.succeed(job, execution).await,
            Next::EndUnplanned => self.end_unplanned(job, execution).await,
            Next::Nothing => Ok(()),
        }
    }

    /// Ours first. Without them nothing even logs in to the target.
    async fn precheck(&self, job: &Job) -> Result<(), RunError> {
        let now = self.executor.ctx.clock.now();
        let opened = self.request.view.opened.clone().unwrap_or_default();
        let mut found = vec![
            checks::approvals(&self.request),
            checks::resource(&opened, self.versions.newest()),
            checks::confirmation(&self.request, now),
            checks::reservation(self.reserve().await?),
        ];
        if execution::blocking(&found).is_empty() {
            found.extend(in_time(job.mover.prechecks(&job.job)).await);
        }
        let now = self.executor.ctx.clock.now();
        self.decide(|execution, me| execution::record_checks(execution, me, CheckPhase::Before, found.clone(), now))
            .await?;
        Ok(())
    }

    async fn postcheck(&self, job: &Job, execution: &Execution) -> Result<(), RunError> {
        let found = in_time(job.mover.postchecks(&job.job, &execution.facts)).await;
        let now = self.executor.ctx.clock.now();
        self.decide(|execution, me| execution::record_checks(execution, me, CheckPhase::After, found.clone(), now))
            .await?;
        Ok(())
    }

    async fn mark(&self, job: &Job, phase: CheckPhase) -> Result<(), RunError> {
        let (markers, unavailable): (Vec<Marker>, Vec<String>) =
            match tokio::time::timeout(LOOK_LIMIT, job.mover.markers(&job.job)).await {
                Ok(read) => read,
                Err(_) => (Vec::new(), vec![format!("no answer within {} s", LOOK_LIMIT.as_secs())]),
            };
        self.decide(|execution, me| {
            execution::record_markers(execution, me, phase, markers.clone(), unavailable.clone())
        })
        .await?;
        Ok(())
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

    /// Takes the resource for this run, or says who has it.
    pub(crate) async fn reserve(&self) -> Result<Result<(), Refusal>, RunError> {
        let (name, id) = (self.resource.as_str(), self.key.id.as_str());
        let log = &self.executor.ctx.log;
        let decided = log
            .decide::<Reservation, Refusal>(&self.key.tenant, &self.resource, &self.meta(), |held| {
                execution::reserve(held, name, id)
            })
            .await;
        match decided {
            Ok(_) => Ok(Ok(())),
            Err(DecideError::Refused(refusal)) => Ok(Err(refusal)),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives the resource back. Also a successor's last act, for a run whose executor died right after its end.
    async fn release(&self) -> Result<(), RunError> {
        let (name, id) = (self.resource.as_str(), self.key.id.as_str());
        let log = &self.executor.ctx.log;
        log.decide::<Reservation, Refusal>(&self.key.tenant, &self.resource, &self.meta(), |held| {
            Ok(execution::release(held, name, id))
        })
        .await?;
        Ok(())
    }
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
