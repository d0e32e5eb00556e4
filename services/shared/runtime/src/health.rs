//! Liveness and readiness: what must answer before this process is of use, and what does not.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use serde::Serialize;
use tokio::{sync::Mutex, time::Instant};

/// A check that takes longer has failed: probes time out soon after.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// Anybody may ask for readiness; asking often must not load what is checked.
const CACHE_FOR: Duration = Duration::from_secs(1);

type CheckFuture = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;
type CheckFn = Arc<dyn Fn() -> CheckFuture + Send + Sync>;

/// A cheap handle to everything that is checked.
#[derive(Clone, Default)]
pub struct Health(Arc<Inner>);

#[derive(Default)]
struct Inner {
    checks: RwLock<Vec<Check>>,
    last: Mutex<Option<(Instant, Report)>>,
}

#[derive(Clone)]
struct Check {
    service: String,
    name: String,
    run: CheckFn,
    /// A failure is shown and leaves the process ready.
    is_notice: bool,
}

/// The body of /readyz.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    pub ready: bool,
    pub checks: Vec<CheckReport>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// The service it belongs to; "muster" for what all need.
    pub service: String,
    pub name: String,
    pub ok: bool,
    /// What is wrong, in words. Readable without logging in: no addresses, no secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What people have to look at although the process does its work. The same rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
}

impl Report {
    /// Whether what this service and all services need is well.
    pub fn is_service_ready(&self, service: &str) -> bool {
        self.checks.iter().filter(|c| c.service == service || c.service == SHARED).all(|c| c.ok)
    }
}

/// The owner of the checks that concern every service.
pub const SHARED: &str = "muster";

impl Health {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check; `Err` says what is wrong, in words.
    pub fn register<F, Fut>(&self, service: impl Into<String>, name: impl Into<String>, check: F)
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.add(service.into(), name.into(), check, false);
    }

    /// Adds something to look at that keeps nobody from working: it never makes the process unready.
    pub fn register_notice<F, Fut>(&self, service: impl Into<String>, name: impl Into<String>, check: F)
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.add(service.into(), name.into(), check, true);
    }

    fn add<F, Fut>(&self, service: String, name: String, check: F, is_notice: bool)
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), String>> + Send + 'static,
    {
        let run: CheckFn = Arc::new(move || Box::pin(check()));
        let check = Check { service, name, run, is_notice };
        self.0.checks.write().unwrap_or_else(PoisonError::into_inner).push(check);
    }

    /// Runs every check at once, or answers with what was found less than a second ago.
    pub async fn report(&self) -> Report {
        let mut last = self.0.last.lock().await;
        if let Some((at, report)) = last.as_ref()
            && at.elapsed() < CACHE_FOR
        {
            return report.clone();
        }
        let report = self.run().await;
        *last = Some((Instant::now(), report.clone()));
        report
    }

    async fn run(&self) -> Report {
        let checks = self.0.checks.read().unwrap_or_else(PoisonError::into_inner).clone();
        let reports = checks.into_iter().map(|check| async move {
            let outcome = match tokio::time::timeout(CHECK_TIMEOUT, (check.run)()).await {
                Ok(outcome) => outcome,
                Err(_) => Err(format!("no answer within {} s", CHECK_TIMEOUT.as_secs())),
            };
            let (ok, text) = (check.is_notice || outcome.is_ok(), outcome.err());
            let (notice, problem) = if check.is_notice { (text, None) } else { (None, text) };
            CheckReport { service: check.service, name: check.name, ok, problem, notice }
        });
        let checks = futures::future::join_all(reports).await;
        Report { ready: checks.iter().all(|c| c.ok), checks }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_check_that_hangs_has_failed() {
        let health = Health::new();
        health.register(SHARED, "stuck", std::future::pending);
        health.register(SHARED, "fine", || async { Ok(()) });
        let report = health.report().await;
        assert!(!report.ready);
        assert_eq!(report.checks[0].problem.as_deref(), Some("no answer within 2 s"));
        assert!(report.checks[1].ok);
    }

    #[tokio::test(start_paused = true)]
    async fn many_probes_are_one_check() {
        let ran = Arc::new(AtomicUsize::new(0));
        let health = Health::new();
        let counter = ran.clone();
        health.register("monitor", "counted", move || {
            counter.fetch_add(1, Ordering::SeqCst);
            async { Ok(()) }
        });
        for _ in 0..50 {
            health.report().await;
        }
        assert_eq!(ran.load(Ordering::SeqCst), 1);
        tokio::time::advance(CACHE_FOR).await;
        health.report().await;
        assert_eq!(ran.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn what_is_only_to_be_looked_at_keeps_nobody_from_working() {
        let health = Health::new();
        health.register_notice("audit", "transparency log", || async { Err("one log has stopped".to_owned()) });
        let report = health.report().await;
        assert!(report.ready && report.is_service_ready("audit"));
        assert_eq!(report.checks[0].notice.as_deref(), Some("one log has stopped"));
        assert_eq!(report.checks[0].problem, None);
    }

    #[tokio::test]
    async fn a_failing_service_leaves_the_others_ready() {
        let health = Health::new();
        health.register("monitor", "lag", || async { Err("behind".to_owned()) });
        let report = health.report().await;
        assert!(!report.ready && !report.is_service_ready("monitor") && report.is_service_ready("planner"));
    }
}
