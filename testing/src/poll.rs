//! Waiting for something that must become true, with a deadline and an account of what was seen last.

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

const PAUSE: Duration = Duration::from_millis(100);

/// Asks again and again until `look` gives `Some`. On the deadline the last sight is the error.
pub async fn until<T, S: Debug, F: Future<Output = Result<Look<T, S>>>>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> F,
) -> Result<T> {
    let start = Instant::now();
    loop {
        let seen = match look().await {
            Ok(Look::Found(found)) => return Ok(found),
            Ok(Look::NotYet(seen)) => format!("{seen:?}"),
            Err(e) => format!("{e:#}"),
        };
        if start.elapsed() > limit {
            bail!("waited {} s for {what}; last seen: {seen}", limit.as_secs());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What one look gave.
pub enum Look<T, S> {
    Found(T),
    NotYet(S),
}

/// `Found` when the condition holds.
pub fn look_for<T: Debug>(value: T, holds: impl FnOnce(&T) -> bool) -> Look<T, T> {
    if holds(&value) { Look::Found(value) } else { Look::NotYet(value) }
}
