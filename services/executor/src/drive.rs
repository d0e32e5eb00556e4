//! From a run's log to its end: everything that can be done now, side by side; write it down; look again.

use std::{collections::BTreeSet, pin::Pin, time::Duration};

use futures::{StreamExt, stream::FuturesUnordered};
use muster_domain::{
    execution::{self, Execution, Next, id_of},
    pb::execution::v1::{CheckPhase, StepView},
    time::from_pb,
};
use tokio::sync::broadcast;

use crate::{Executor, error::RunError, run::Run, step::limit_of, unfinished::RunKey};

/// News can be lost; looking again costs a millisecond.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

type AtWork<'r> = FuturesUnordered<Pin<Box<dyn Future<Output = (String, Result<(), RunError>)> + Send + 'r>>>;

enum Turn {
    /// Something was written down: there is more to do.
    Again,
    /// What can be done is under way, or somebody else's turn.
    Wait,
    Ended,
}

/// Works on a run until it has ended, the process is to stop, or it is not ours any more.
pub(crate) async fn drive(executor: &Executor, key: &RunKey) -> Result<(), RunError> {
    let Some(mut run) = Run::load(executor, key).await? else { return Ok(()) };
    run.begin(None).await?;
    run.take_over().await?;
    let Some(started) = run.current().await?.view.started else { return Ok(()) };
    run.prepare(&started);
    let mut at_work = AtWork::new();
    let outcome = work(&run, &mut at_work).await;
    // What is under way comes to its end, so that nothing is left half done that need not be.
    while at_work.next().await.is_some() {}
    outcome
}

async fn work<'r>(run: &'r Run<'_>, at_work: &mut AtWork<'r>) -> Result<(), RunError> {
    let shutdown = &run.executor.ctx.shutdown;
    let mut news = run.executor.unfinished.news();
    let mut under_way = BTreeSet::new();
    loop {
        if shutdown.is_cancelled() {
            tracing::info!("stopping: another executor goes on with this run");
            return Ok(());
        }
        let execution = run.current().await?;
        match turn(run, &execution, &mut under_way, at_work).await? {
            Turn::Again => continue,
            Turn::Ended => return run.release(&execution).await,
            Turn::Wait => {}
        }
        tokio::select! {
            Some((step, outcome)) = at_work.next() => {
                under_way.remove(&step);
                outcome?;
            }
            () = heard(&mut news, run.key) => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

/// Begins what can be begun.
async fn turn<'r>(
    run: &'r Run<'_>,
    execution: &Execution,
    under_way: &mut BTreeSet<String>,
    at_work: &mut AtWork<'r>,
) -> Result<Turn, RunError> {
    let todo = execution::next(execution);
    if todo.is_empty() {
        return Ok(Turn::Ended);
    }
    if at_work.is_empty() {
        if let Some(error) = run.legs.iter().find_map(|leg| leg.job.as_ref().err()) {
            run.end_without_job(execution, &error.to_string()).await?;
            return Ok(Turn::Again);
        }
        let left: Vec<&StepView> = execution.claimed().collect();
        if execution.is_ending() && !left.is_empty() {
            run.settle_before_the_end(execution, &left).await?;
            return Ok(Turn::Again);
        }
    }
    for next in todo {
        match next {
            Next::Run(step) | Next::Settle(step) if under_way.contains(id_of(step)) => {}
            Next::Run(step) => {
                under_way.insert(id_of(step).to_owned());
                let (step, execution) = (step.clone(), execution.clone());
                at_work.push(Box::pin(async move { (id_of(&step).to_owned(), run.run_step(&execution, &step).await) }));
            }
            // At an end, what others have left is settled when nothing of ours is under way any more.
            Next::Settle(_) if execution.is_ending() => {}
            Next::Settle(step) => {
                under_way.insert(id_of(step).to_owned());
                let (step, execution) = (step.clone(), execution.clone());
                at_work.push(Box::pin(async move { (id_of(&step).to_owned(), run.settle(&execution, &step).await) }));
            }
            Next::AwaitPerson(step) => run.end_overdue(step).await?,
            Next::AwaitResume => {}
            alone => {
                advance(run, execution, alone).await?;
                return Ok(Turn::Again);
            }
        }
    }
    Ok(Turn::Wait)
}

/// What is done by itself, with nothing beside it.
async fn advance(run: &Run<'_>, execution: &Execution, next: Next<'_>) -> Result<(), RunError> {
    match next {
        Next::Precheck => run.precheck().await,
        Next::EndUnready(checks) => run.end_unready(execution, &checks).await,
        Next::MarkBefore => run.mark(execution, CheckPhase::Before).await,
        Next::BeginUndo(_) => run.begin_undo().await,
        Next::EndFailedStep(step) => run.end_failed_step(execution, step, &[]).await,
        Next::EndStopped(step) => run.end_stopped(execution, step, &[]).await,
        Next::MarkAfter => run.mark(execution, CheckPhase::After).await,
        Next::Postcheck => run.postcheck(execution).await,
        Next::EndUnhealthy(checks) => run.end_unhealthy(execution, &checks).await,
        Next::Succeed => run.succeed(execution).await,
        Next::EndUnplanned => run.end_unplanned(execution).await,
        Next::Run(_) | Next::Settle(_) | Next::AwaitPerson(_) | Next::AwaitResume => Ok(()),
    }
}

impl Run<'_> {
    async fn begin_undo(&self) -> Result<(), RunError> {
        let now = self.executor.ctx.clock.now();
        self.decide(|execution, me| execution::begin_undo(execution, me, now)).await?;
        Ok(())
    }

    /// Nobody answered in the time of a manual step.
    async fn end_overdue(&self, step: &StepView) -> Result<(), RunError> {
        let Some(planned) = step.step.as_ref().filter(|planned| planned.timeout.is_some()) else { return Ok(()) };
        let (now, limit) = (self.executor.ctx.clock.now(), limit_of(planned));
        let asked = from_pb(step.started_at.as_ref()).and_then(|at| Duration::try_from(now.duration_since(at)).ok());
        if asked.is_none_or(|asked| asked < limit) {
            return Ok(());
        }
        let error = format!("nobody confirmed it within {} s", limit.as_secs());
        let id = id_of(step);
        // A person who answers at this moment is first, or is not.
        let late = |execution: &Execution, me: &str| match execution.step(id) {
            Some(view) if view.state() == step.state() => execution::fail_step(execution, me, id, &error, now),
            _ => Ok(None),
        };
        self.decide(late).await?;
        Ok(())
    }
}

/// Something happened in this run, or may have.
async fn heard(news: &mut broadcast::Receiver<RunKey>, run: &RunKey) {
    loop {
        match news.recv().await {
            Ok(key) if key == *run => return,
            Ok(_) => {}
            Err(broadcast::error::RecvError::Lagged(_)) => return,
            // The fold has ended with the process; the look every second remains.
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}
