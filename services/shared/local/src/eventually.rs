//! Waiting for what real servers and tasks do in their own time. For tests.

use std::time::{Duration, Instant};

/// Ends what hangs, and judges no speed: far longer than anything takes on a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(20);

/// Asks until it holds.
///
/// # Panics
///
/// When it does not hold within two minutes; says what was waited for.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let deadline = Instant::now() + LIMIT;
        while !holds().await {
            assert!(Instant::now() < deadline, "{caller}: not within {} s: {what}", LIMIT.as_secs());
            tokio::time::sleep(POLL).await;
        }
    }
}
