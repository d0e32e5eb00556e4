//! What the steps of every platform are made of: the outcome, and the wait for a state.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use muster_domain::{
    execution::blocking,
    pb::execution::v1::{Check, CheckOutcome},
};

use crate::{Probe, StepDone, StepError, StepErrorKind, fact};

/// How long to wait before looking again. Each look is one short statement.
pub(crate) const POLL: Duration = Duration::from_millis(100);

/// How long a server that gives no answer is asked again before that is the answer. One that is late, as when caches are cold
/// and every client returns at once after a promotion, must neither keep a run from its beginning nor end one whose work is done.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
const ASK_AGAIN: Duration = Duration::from_secs(1);

pub(crate) fn done<const N: usize>(note: impl Into<String>, outputs: [(&str, String); N]) -> StepDone {
    StepDone { note: note.into(), outputs: fact::outputs(outputs) }
}

pub(crate) fn probed(done: StepDone) -> Probe {
    Probe::Done { note: done.note, outputs: done.outputs }
}

/// What one look of a wait found.
pub(crate) enum Seen<T> {
    There(T),
    /// Not yet, and what it looks like now.
    Waiting(String),
}

/// Looks again and again until it is there or the time is over; then the last look is the answer.
pub(crate) async fn until<T, F>(limit: Duration, mut look: impl FnMut() -> F) -> Result<Result<T, String>, StepError>
where
    F: Future<Output = Result<Seen<T>, StepError>>,
{
    let deadline = Instant::now() + limit;
    loop {
        match look().await? {
            Seen::There(found) => return Ok(Ok(found)),
            Seen::Waiting(state) if Instant::now() >= deadline => return Ok(Err(state)),
            Seen::Waiting(_) => tokio::time::sleep(POLL).await,
        }
    }
}

/// A proof that failed is tried again within [`PATIENCE`]; then the last error is the answer. For steps that only look, or
/// write what changes nothing.
pub(crate) async fn proven<F>(mut prove: impl FnMut() -> F) -> Result<StepDone, StepError>
where
    F: Future<Output = Result<StepDone, StepError>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        match prove().await {
            Err(error) if error.kind == StepErrorKind::Failed && Instant::now() < deadline => {
                tracing::warn!(%error, "not proven yet, asking again");
                tokio::time::sleep(ASK_AGAIN).await;
            }
            outcome => return outcome,
        }
    }
}

/// Looks again within [`PATIENCE`] while nothing is wrong and something could not be found out. A check that failed is a
/// finding: it is told as it was seen first, also when a later look would find it mended.
pub(crate) async fn answered<F>(mut look: impl FnMut() -> F) -> Vec<Check>
where
    F: Future<Output = Vec<Check>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = look().await;
        let bad = blocking(&found);
        let unanswered = !bad.is_empty() && bad.iter().all(|check| check.outcome() == CheckOutcome::Unknown);
        if !unanswered || Instant::now() >= deadline {
            return found;
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::checks::{failed, passed, unknown};

    #[tokio::test]
    async fn a_late_answer_is_waited_for_and_a_finding_is_told_at_once() {
        let asked = Cell::new(0);
        let look = |later: fn() -> Check| {
            asked.set(0);
            let asked = &asked;
            answered(move || async move {
                asked.set(asked.get() + 1);
                let fine = passed("target_is_primary", "primary", "primary", "");
                vec![fine, if asked.get() == 1 { unknown("accepts_writes", "a commit", "no answer") } else { later() }]
            })
        };
        let found = look(|| passed("accepts_writes", "0/1", "a commit", "")).await;
        assert!(blocking(&found).is_empty() && asked.get() == 2, "{found:?}");
        let found = look(|| failed("accepts_writes", "no", "a commit", "read only")).await;
        assert!(blocking(&found).len() == 1 && asked.get() == 2, "{found:?}");
    }

    #[tokio::test]
    async fn a_proof_is_tried_again_and_a_refusal_is_not() {
        let tried = Cell::new(0);
        let attempt = |error: fn() -> StepError| {
            tried.set(0);
            let tried = &tried;
            proven(move || async move {
                tried.set(tried.get() + 1);
                if tried.get() == 1 { Err(error()) } else { Ok(done("commits", [])) }
            })
        };
        assert!(attempt(|| StepError::failed("no connection within 3s")).await.is_ok());
        assert_eq!(tried.get(), 2);
        assert!(attempt(|| StepError::refused("not the leader of this move")).await.is_err());
        assert_eq!(tried.get(), 1);
    }
}
