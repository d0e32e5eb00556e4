//! What an executor does with a platform's steps, without the log.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use muster_domain::pb::execution::v1::{Check, CheckOutcome};
use muster_platform::{Facts, MoveJob, Mover, Probe};

/// Polls until it holds; a minute is longer than anything here takes.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Those that hold up the run.
pub(crate) fn blocking(checks: &[Check]) -> Vec<&Check> {
    let good = [i32::from(CheckOutcome::Passed), i32::from(CheckOutcome::Warning)];
    checks.iter().filter(|c| !c.advisory && !good.contains(&c.outcome)).collect()
}

/// Looks first, and runs what is not done. A look that cannot tell is repeated, as an executor does.
pub(crate) async fn settle(mover: &Arc<dyn Mover>, job: &MoveJob, step: &str, facts: &Facts) -> Facts {
    let deadline = Instant::now() + Duration::from_secs(30);
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
