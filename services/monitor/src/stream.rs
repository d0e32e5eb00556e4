//! Changes as they happen: the fleet of a tenant is read once a second however many watch it, and each
//! watcher gets what has changed for it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    TenantId,
    pb::readiness::v1::{ReadinessView, WatchReadinessResponse},
};
use muster_eventlog::Database;
use muster_runtime::{Clock, IntoStatus, unavailable};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::{read, view::rank};

const READ_EVERY: Duration = Duration::from_secs(1);
/// A view without news is sent again after so long, for its freshness.
const REFRESH_EVERY: SignedDuration = SignedDuration::from_secs(5);
/// Watchers of one process; each holds the views it was sent.
const MAX_WATCHERS: usize = 500;
/// Messages a slow reader may be behind; then the newest state waits for it, not every one in between.
const BUFFER: usize = 2;

type Fleet = Arc<Vec<ReadinessView>>;
/// `None` before the first read.
type Feed = watch::Receiver<Option<Fleet>>;

/// A cheap handle.
#[derive(Clone)]
pub(crate) struct Hub(Arc<Inner>);

struct Inner {
    db: Database,
    clock: Clock,
    shutdown: CancellationToken,
    feeds: Mutex<HashMap<TenantId, Feed>>,
    watchers: Arc<tokio::sync::Semaphore>,
}

impl Hub {
    pub(crate) fn new(db: Database, clock: Clock, shutdown: CancellationToken) -> Self {
        let watchers = Arc::new(tokio::sync::Semaphore::new(MAX_WATCHERS));
        Self(Arc::new(Inner { db, clock, shutdown, feeds: Mutex::default(), watchers }))
    }

    /// The fleet now, and then each change.
    pub(crate) fn watch(
        &self,
        tenant: &TenantId,
    ) -> Result<mpsc::Receiver<Result<WatchReadinessResponse, Status>>, Status> {
        let Ok(place) = self.0.watchers.clone().try_acquire_owned() else {
            return Err(unavailable("a place among the watchers", "close other views, or ask again in a minute"));
        };
        let (sender, receiver) = mpsc::channel(BUFFER);
        let (hub, mut feed) = (self.0.clone(), self.feed(tenant));
        tokio::spawn(async move {
            let _place = place;
            let mut sent = Sent::default();
            loop {
                let fleet = feed.borrow_and_update().clone();
                let news = fleet.and_then(|fleet| sent.news(&fleet, hub.clock.now()));
                if let Some(resources) = news
                    && sender.send(Ok(WatchReadinessResponse { resources })).await.is_err()
                {
                    return;
                }
                tokio::select! {
                    () = sender.closed() => return,
                    () = hub.shutdown.cancelled() => {
                        let _ = sender.send(Err(unavailable("this process, which is stopping,", "connect again"))).await;
                        return;
                    }
                    changed = feed.changed() => if changed.is_err() { return },
                }
            }
        });
        Ok(receiver)
    }

    /// The tenant's feed, begun if nobody watches yet.
    fn feed(&self, tenant: &TenantId) -> Feed {
        let mut feeds = self.0.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(feed) = feeds.get(tenant) {
            return feed.clone();
        }
        let (sender, feed) = watch::channel(None);
        feeds.insert(tenant.clone(), feed.clone());
        tokio::spawn(self.0.clone().read(tenant.clone(), sender));
        feed
    }
}

impl Inner {
    /// Reads until nobody watches any more.
    async fn read(self: Arc<Self>, tenant: TenantId, feed: watch::Sender<Option<Fleet>>) {
        let mut ticks = tokio::time::interval(READ_EVERY);
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if self.ended(&tenant, &feed) {
                return;
            }
            match fleet(&self.db, &tenant, self.clock.now()).await {
                Ok(views) => {
                    feed.send_replace(Some(Arc::new(views)));
                }
                // Watchers keep what they have; its freshness shows how old it is.
                Err(error) => tracing::warn!(%tenant, %error, "the fleet cannot be read for its watchers"),
            }
        }
    }

    /// Under the lock under which watchers begin, so that none is left with a feed that has ended.
    fn ended(&self, tenant: &TenantId, feed: &watch::Sender<Option<Fleet>>) -> bool {
        let mut feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        // One receiver is the map's own.
        let ended = feed.receiver_count() <= 1;
        if ended {
            feeds.remove(tenant);
        }
        ended
    }
}

/// Every declared resource of a tenant, worst first.
pub(crate) async fn fleet(db: &Database, tenant: &TenantId, now: Timestamp) -> Result<Vec<ReadinessView>, sqlx::Error> {
    let known = read::known(db, tenant, None).await?;
    let mut views: Vec<ReadinessView> = known.into_values().map(|known| known.view(now)).collect();
    views.sort_by_cached_key(rank);
    Ok(views)
}

/// As [`fleet`], as a status for callers.
pub(crate) async fn fleet_or_status(
    db: &Database,
    tenant: &TenantId,
    now: Timestamp,
) -> Result<Vec<ReadinessView>, Status> {
    fleet(db, tenant, now).await.map_err(IntoStatus::into_status)
}

/// What one watcher has been sent.
#[derive(Default)]
struct Sent {
    begun: bool,
    views: BTreeMap<String, (ReadinessView, Timestamp)>,
}

impl Sent {
    /// What is to be sent now. The first answer is the whole fleet, also an empty one.
    fn news(&mut self, fleet: &[ReadinessView], now: Timestamp) -> Option<Vec<ReadinessView>> {
        self.views.retain(|name, _| fleet.iter().any(|view| view.resource == *name));
        let news: Vec<ReadinessView> = fleet.iter().filter(|view| self.is_news(view, now)).cloned().collect();
        for view in &news {
            self.views.insert(view.resource.clone(), (view.clone(), now));
        }
        let first = !std::mem::replace(&mut self.begun, true);
        (first || !news.is_empty()).then_some(news)
    }

    fn is_news(&self, view: &ReadinessView, now: Timestamp) -> bool {
        let Some((before, at)) = self.views.get(&view.resource) else { return true };
        essence(before) != essence(view) || now.duration_since(*at) >= REFRESH_EVERY
    }
}

/// The view without what changes with every look.
fn essence(view: &ReadinessView) -> ReadinessView {
    let mut view = view.clone();
    view.freshness = None;
    view.last_known_good = None;
    for alert in &mut view.open_alerts {
        alert.assessment = None;
    }
    if let Some(assessment) = &mut view.assessment {
        assessment.rpo_now = None;
        assessment.not_received_bytes = None;
        assessment.not_applied_bytes = None;
        assessment.primary = None;
        assessment.standby = None;
        assessment.loss = None;
        assessment.observed_at = None;
        for reason in &mut assessment.reasons {
            reason.text.clear();
            reason.measurements.clear();
        }
    }
    view
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use muster_domain::pb::{common::v1::Reason, readiness::v1::Assessment};

    use super::*;

    fn view(code: &str, seconds: i64) -> ReadinessView {
        let reason = Reason { code: code.into(), text: format!("{seconds} s"), measurements: vec![] };
        ReadinessView {
            resource: "orders-db".into(),
            freshness: Some(muster_domain::time::duration_to_pb(SignedDuration::from_secs(seconds))),
            assessment: Some(Assessment { reasons: vec![reason], ..Default::default() }),
            ..Default::default()
        }
    }

    #[test]
    fn the_whole_fleet_first_then_changes_then_freshness_now_and_then() {
        let at = |seconds: i64| Timestamp::from_second(1_760_000_000 + seconds).unwrap();
        let mut sent = Sent::default();
        assert_eq!(sent.news(&[], at(0)), Some(vec![]));
        assert_eq!(sent.news(&[view("RPO_OK", 0)], at(1)).map(|v| v.len()), Some(1));
        assert_eq!(sent.news(&[view("RPO_OK", 1)], at(2)), None, "only older");
        assert_eq!(sent.news(&[view("RPO_BREACH", 2)], at(3)).map(|v| v.len()), Some(1));
        assert_eq!(sent.news(&[view("RPO_BREACH", 9)], at(9)).map(|v| v.len()), Some(1), "for its freshness");
        assert_eq!(sent.news(&[], at(10)), None);
        assert_eq!(sent.news(&[view("RPO_BREACH", 9)], at(11)).map(|v| v.len()), Some(1), "declared again");
    }
}
