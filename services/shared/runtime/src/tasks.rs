//! Background tasks that are meant to run as long as the process: one that ends or panics is started again,
//! with growing pauses, and readiness shows it.

use std::{
    fmt::Display,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::health::Health;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A task that ran this long is well again: its next failure starts with a short pause.
const STEADY_AFTER: Duration = Duration::from_secs(10);

/// How a task can end.
pub trait TaskOutcome {
    fn problem(self) -> Option<String>;
}

impl TaskOutcome for () {
    fn problem(self) -> Option<String> {
        None
    }
}

impl<E: Display> TaskOutcome for Result<(), E> {
    fn problem(self) -> Option<String> {
        self.err().map(|e| e.to_string())
    }
}

/// Runs `make()` again and again until `shutdown`. When that is cancelled the task is expected to end by itself.
pub fn supervise<F, Fut>(
    service: &'static str,
    name: String,
    health: &Health,
    shutdown: CancellationToken,
    make: F,
) -> JoinHandle<()>
where
    F: Fn() -> Fut + Send + 'static,
    Fut: Future<Output: TaskOutcome> + Send + 'static,
{
    let running = Arc::new(AtomicBool::new(true));
    let seen = running.clone();
    health.register(service, format!("task {name}"), move || {
        let up = seen.load(Ordering::SeqCst);
        async move { if up { Ok(()) } else { Err("it ended and is being started again".to_owned()) } }
    });
    tokio::spawn(async move {
        let mut pause = FIRST_PAUSE;
        loop {
            let started = Instant::now();
            let steady = mark_steady(running.clone());
            let problem = run_once(make()).await;
            steady.abort();
            if shutdown.is_cancelled() {
                return;
            }
            running.store(false, Ordering::SeqCst);
            metrics::counter!("muster_task_ends_total", "service" => service, "task" => name.clone()).increment(1);
            tracing::error!(
                service,
                task = name,
                problem,
                pause_ms = pause.as_millis(),
                "a background task ended; starting it again"
            );
            if started.elapsed() >= STEADY_AFTER {
                pause = FIRST_PAUSE;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = shutdown.cancelled() => return,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    })
}

/// Readiness comes back only after the task has held for a while, not between two crashes.
fn mark_steady(running: Arc<AtomicBool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        tokio::time::sleep(STEADY_AFTER).await;
        running.store(true, Ordering::SeqCst);
    })
}

async fn run_once(task: impl Future<Output: TaskOutcome> + Send + 'static) -> String {
    // Its own tokio task, so that a panic ends only itself.
    let handle = tokio::spawn(async move { task.await.problem() });
    let abort = AbortOnDrop(handle.abort_handle());
    let end = handle.await;
    drop(abort);
    match end {
        Ok(Some(problem)) => problem,
        Ok(None) => "it returned".to_owned(),
        Err(e) if e.is_panic() => format!("it panicked: {}", panic_text(&e.into_panic())),
        Err(_) => "it was aborted".to_owned(),
    }
}

/// A supervisor that is aborted takes its task along.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The message of a panic, when it is text.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "without a message".to_owned()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::panic, clippy::unwrap_used, reason = "the task under test panics; a test panics to fail")]
    use std::sync::atomic::AtomicUsize;

    use super::*;

    async fn ready(health: &Health) -> bool {
        tokio::time::sleep(Duration::from_millis(1100)).await;
        health.report().await.ready
    }

    #[tokio::test(start_paused = true)]
    async fn a_panicking_task_is_started_again_and_shows() {
        let (health, shutdown, runs) = (Health::new(), CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
        let (counter, token) = (runs.clone(), shutdown.clone());
        let supervisor = supervise("monitor", "fold".to_owned(), &health, shutdown.clone(), move || {
            let (run, token) = (counter.fetch_add(1, Ordering::SeqCst), token.clone());
            async move {
                if run < 3 {
                    panic!("boom {run}");
                }
                token.cancelled().await;
            }
        });
        assert!(!ready(&health).await);
        // Pauses of 0.5, 1 and 2 s, then 10 s of holding.
        tokio::time::sleep(Duration::from_secs(15)).await;
        assert!(ready(&health).await);
        assert_eq!(runs.load(Ordering::SeqCst), 4);
        shutdown.cancel();
        supervisor.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_ends_with_an_error_is_started_again() {
        let (health, shutdown, runs) = (Health::new(), CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
        let counter = runs.clone();
        let supervisor = supervise("monitor", "fold".to_owned(), &health, shutdown.clone(), move || {
            counter.fetch_add(1, Ordering::SeqCst);
            async { Err::<(), _>("lost its connection") }
        });
        assert!(!ready(&health).await);
        assert!(runs.load(Ordering::SeqCst) >= 2);
        shutdown.cancel();
        supervisor.await.unwrap();
    }
}
