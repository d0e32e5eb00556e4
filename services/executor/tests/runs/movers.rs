//! The real platform code with something around it: a count, a pause, a failure, a SIGKILL.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use muster_domain::pb::{
    common::v1::Marker,
    execution::v1::{Check, Step},
};
use muster_executor::FindMover;
use muster_platform::{Facts, MoveJob, Mover, Probe, StepDone, StepError, registry::platform_of};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::sync::Semaphore;

/// When, seen from the effect of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Before,
    After,
}

/// What happens around one step.
#[derive(Clone)]
pub(crate) enum Around {
    Nothing,
    /// The whole process is gone, as after a power cut.
    Kill(&'static str, When),
    /// The whole process stands still after the effect, until somebody wakes it.
    Suspend(&'static str),
    /// The step is done, and says so only after the test has let it.
    PauseAfter(&'static str, Arc<Pause>),
    Fail(&'static str),
}

/// Where a run waits for the test.
pub(crate) struct Pause {
    pub reached: Semaphore,
    pub go_on: Semaphore,
}

impl Pause {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { reached: Semaphore::new(0), go_on: Semaphore::new(0) })
    }

    pub(crate) async fn is_reached(&self) {
        self.reached.acquire().await.unwrap().forget();
    }
}

/// How often each step was really run.
pub(crate) type Counts = Arc<Mutex<BTreeMap<String, u32>>>;

struct Wrapped {
    inner: Arc<dyn Mover>,
    around: Around,
    counts: Counts,
}

/// Movers for an executor, and the count of what they ran.
pub(crate) fn movers(around: Around) -> (FindMover, Counts) {
    let counts = Counts::default();
    let counted = counts.clone();
    let find: FindMover = Arc::new(move |spec| {
        let inner = (platform_of(spec)?.mover)();
        Some(Arc::new(Wrapped { inner, around: around.clone(), counts: counted.clone() }))
    });
    (find, counts)
}

fn to_myself(signal: Signal) {
    kill(Pid::this(), signal).unwrap();
}

#[async_trait]
impl Mover for Wrapped {
    fn plan(&self, job: &MoveJob) -> Vec<Step> {
        self.inner.plan(job)
    }

    async fn follows(&self, job: &MoveJob) -> bool {
        self.inner.follows(job).await
    }

    fn way_home(&self, job: &MoveJob) -> Vec<Step> {
        self.inner.way_home(job)
    }

    async fn way_home_checks(&self, job: &MoveJob) -> Vec<Check> {
        self.inner.way_home_checks(job).await
    }

    async fn prechecks(&self, job: &MoveJob) -> Vec<Check> {
        self.inner.prechecks(job).await
    }

    async fn markers(&self, job: &MoveJob) -> (Vec<Marker>, Vec<String>) {
        self.inner.markers(job).await
    }

    async fn probe(&self, job: &MoveJob, step_id: &str, facts: &Facts) -> Probe {
        self.inner.probe(job, step_id, facts).await
    }

    async fn run(&self, job: &MoveJob, step_id: &str, facts: &Facts) -> Result<StepDone, StepError> {
        match &self.around {
            Around::Kill(step, When::Before) if *step == step_id => to_myself(Signal::SIGKILL),
            Around::Fail(step) if *step == step_id => return Err(StepError::failed("it broke, as the test wants")),
            _ => {}
        }
        *self.counts.lock().unwrap().entry(step_id.to_owned()).or_default() += 1;
        let outcome = self.inner.run(job, step_id, facts).await;
        match &self.around {
            Around::Kill(step, When::After) if *step == step_id => to_myself(Signal::SIGKILL),
            Around::Suspend(step) if *step == step_id => to_myself(Signal::SIGSTOP),
            Around::PauseAfter(step, pause) if *step == step_id => {
                pause.reached.add_permits(1);
                pause.go_on.acquire().await.unwrap().forget();
            }
            _ => {}
        }
        outcome
    }

    async fn postchecks(&self, job: &MoveJob, facts: &Facts) -> Vec<Check> {
        self.inner.postchecks(job, facts).await
    }

    async fn rollback(&self, job: &MoveJob, facts: &Facts) -> Result<String, StepError> {
        self.inner.rollback(job, facts).await
    }

    async fn known_state(&self, job: &MoveJob, facts: &Facts) -> String {
        self.inner.known_state(job, facts).await
    }
}
