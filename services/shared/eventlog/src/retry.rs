//! How long we keep trying before we say "unavailable".

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

/// A killed stream leader is replaced in 4 to 9 s, a hung one in up to 25 s (measured): a caller should not notice.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// One request. Longer than any healthy answer, short enough to try another leader within [`PATIENCE`].
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(4);

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Growing pauses with jitter, until the deadline.
pub(crate) struct Patience {
    delays: ExponentialBackoff,
    started: Instant,
    limit: Duration,
}

impl Patience {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { delays: pauses(LONGEST_PAUSE), started: Instant::now(), limit }
    }

    pub(crate) fn waited(&self) -> Duration {
        self.started.elapsed()
    }

    /// Waits before the next try. `false`: that was long enough.
    pub(crate) async fn pause(&mut self) -> bool {
        let delay = self.delays.next().unwrap_or(LONGEST_PAUSE);
        if self.started.elapsed() + delay >= self.limit {
            return false;
        }
        tokio::time::sleep(delay).await;
        true
    }
}

/// Endless pauses from 20 ms up to `longest`, for background work that never gives up.
pub(crate) fn pauses(longest: Duration) -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(longest)
        .with_factor(2.0)
        .with_jitter()
        .without_max_times()
        .build()
}
