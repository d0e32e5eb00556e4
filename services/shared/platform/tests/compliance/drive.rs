//! What an executor does with a platform's steps, without the log.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use muster_domain::pb::execution::v1::{Check, CheckOutcome};
use muster_platform::{Facts, MoveJob, Mover, Probe};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use muster_local::eventually;

/// Between two rounds of what goes on beside a test. Each is a login or more.
const PAUSE: Duration = Duration::from_millis(20);
/// A server that was killed comes back, and answers, on a busy machine too.
pub(crate) const SETTLE_LIMIT: Duration = Duration::from_secs(60);

/// Those that hold up the run.
pub(crate) fn blocking(checks: &[Check]) -> Vec<&Check> {
    let good = [i32::from(CheckOutcome::Passed), i32::from(CheckOutcome::Warning)];
    checks.iter().filter(|c| !c.advisory && !good.contains(&c.outcome)).collect()
}

/// Looks first, and runs what is not done. A look that cannot tell is repeated, as an executor does.
pub(crate) async fn settle(mover: &Arc<dyn Mover>, job: &MoveJob, step: &str, facts: &Facts) -> Facts {
    let deadline = Instant::now() + SETTLE_LIMIT;
    loop {
        match mover.probe(job, step, facts).await {
            Probe::Done { outputs, .. } => return outputs,
            Probe::NotDone => {
                return mover.run(job, step, facts).await.unwrap_or_else(|e| panic!("{step}: {e:?}")).outputs;
            }
            Probe::Unknown(text) => assert!(Instant::now() < deadline, "{step}: {text}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Something that is done round after round beside a test: an application that writes, a guard that looks.
pub(crate) struct Beside<T> {
    rounds: Arc<AtomicU64>,
    stop: CancellationToken,
    task: JoinHandle<T>,
}

impl<T: Send + 'static> Beside<T> {
    /// Each round gets what the one before has made of the first value.
    pub(crate) fn start<R>(first: T, mut round: impl FnMut(T) -> R + Send + 'static) -> Self
    where
        R: Future<Output = T> + Send,
    {
        let (rounds, stop) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
        let (count, stopped) = (rounds.clone(), stop.clone());
        let task = tokio::spawn(async move {
            let mut value = first;
            while !stopped.is_cancelled() {
                value = round(value).await;
                count.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(PAUSE).await;
            }
            value
        });
        Self { rounds, stop, task }
    }

    /// Ends it after one more whole round: however slow the machine is, it has seen how things ended.
    pub(crate) async fn end(self) -> T {
        let wanted = self.rounds.load(Ordering::SeqCst) + 2;
        eventually("one more round", async || self.rounds.load(Ordering::SeqCst) >= wanted).await;
        self.stop.cancel();
        self.task.await.unwrap()
    }
}

/// How often both nodes accepted writes at once. One is asked twice, around the other.
pub(crate) fn count_double<L>(look: impl Fn(&'static str) -> L + Clone + Send + Sync + 'static) -> Beside<u32>
where
    L: Future<Output = bool> + Send,
{
    Beside::start(0, move |double| {
        let look = look.clone();
        async move {
            let (first, second, again) = (look("a").await, look("b").await, look("a").await);
            double + u32::from(first && second && again)
        }
    })
}

/// An executor that is gone after a moment, whatever it was doing. Its outputs die with it.
pub(crate) async fn short_lived(mover: Arc<dyn Mover>, job: MoveJob, step: String, facts: Facts, life: Duration) {
    let executor = tokio::spawn(async move { mover.run(&job, &step, &facts).await });
    let _ = tokio::time::timeout(life, async {
        while !executor.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    executor.abort();
    let _ = executor.await;
}

/// Runs the steps up to and including `last`, as an executor does: look, run, merge the outputs. Every step by a new job, and
/// every step that may be is run again, as by a successor that does not know whether it ran. What it says must not change,
/// but for times and for what `grows` names.
pub(crate) async fn run_steps(
    mover: &Arc<dyn Mover>,
    job: impl Fn() -> MoveJob,
    last: Option<&str>,
    grows: impl Fn(&str) -> bool,
) -> Facts {
    let mut facts = Facts::new();
    for step in mover.plan(&job()) {
        match mover.probe(&job(), &step.id, &facts).await {
            Probe::Done { outputs, .. } => facts.extend(outputs),
            Probe::Unknown(text) => panic!("{}: {text}", step.id),
            Probe::NotDone => {
                let done = mover.run(&job(), &step.id, &facts).await.unwrap_or_else(|e| panic!("{}: {e:?}", step.id));
                facts.extend(done.outputs);
            }
        }
        if let Probe::Unknown(text) = mover.probe(&job(), &step.id, &facts).await {
            panic!("{} afterwards: {text}", step.id);
        }
        let again = mover.run(&job(), &step.id, &facts).await.unwrap_or_else(|e| panic!("{} again: {e:?}", step.id));
        for (name, value) in again.outputs {
            let known = facts.entry(name.clone()).or_insert(value.clone());
            let same = name.ends_with("_at") || grows(&name) || *known == value;
            assert!(same, "{}: {name} was {known}, is {value}", step.id);
        }
        if last == Some(step.id.as_str()) {
            break;
        }
    }
    facts
}

pub(crate) fn check<'a>(checks: &'a [Check], name: &str) -> &'a Check {
    checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("no check {name} in {checks:#?}"))
}

/// The names of those that hold up the run.
pub(crate) fn blocking_names(checks: &[Check]) -> Vec<&str> {
    blocking(checks).into_iter().map(|check| check.name.as_str()).collect()
}
