//! What the steps of every platform are made of: the outcome, and the wait for a state.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use crate::{Probe, StepDone, StepError, fact};

/// How long to wait before looking again. Each look is one short statement.
pub(crate) const POLL: Duration = Duration::from_millis(100);

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
