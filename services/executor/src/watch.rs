//! A run as it goes on: the whole view at each event, from the log, until its end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{Stream, StreamExt, stream};
use muster_domain::{execution::Execution, pb::request::v1::RequestState, refusal::refusal, request::Request};
use muster_proto::execution::v1::{ExecutionView, WatchExecutionResponse};
use muster_runtime::{IntoStatus, refused};
use tokio::sync::broadcast;
use tonic::Status;

use crate::{Executor, api::not_found, unfinished::RunKey};

/// People who watch at once, in one process.
const MAX_WATCHERS: usize = 500;
/// News can be lost between processes only if the fold lags; looking again costs a millisecond.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Views of the run. A confirmed request whose run has not begun yet is waited for.
pub(crate) async fn watch(
    executor: &Arc<Executor>,
    key: RunKey,
) -> Result<impl Stream<Item = Result<WatchExecutionResponse, Status>> + Send + use<>, Status> {
    let seat = Seat::take(&executor.watchers)?;
    // Before the first look, so that nothing happens unseen between the two.
    let news = executor.unfinished.news();
    let request = executor.ctx.log.load::<Request>(&key.tenant, &key.id).await.map_err(IntoStatus::into_status)?;
    if request.state.view.state() != RequestState::Confirmed {
        return Err(not_found(&key.id));
    }
    let watcher = Watcher { executor: executor.clone(), key, news, version: 0, ended: false, _seat: seat };
    let views = stream::unfold(watcher, |mut watcher| async move {
        let next = watcher.next().await?;
        Some((next.map(|view| WatchExecutionResponse { execution: Some(view) }), watcher))
    });
    Ok(views.boxed())
}

struct Watcher {
    executor: Arc<Executor>,
    key: RunKey,
    news: broadcast::Receiver<RunKey>,
    version: u64,
    ended: bool,
    _seat: Seat,
}

impl Watcher {
    /// The next view that differs. `None`: the run has ended, or the process is to stop.
    async fn next(&mut self) -> Option<Result<ExecutionView, Status>> {
        while !self.ended {
            let loaded = match self.executor.ctx.log.load::<Execution>(&self.key.tenant, &self.key.id).await {
                Ok(loaded) => loaded,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error.into_status()));
                }
            };
            if loaded.version > self.version {
                self.version = loaded.version;
                self.ended = !loaded.state.is_running();
                return Some(Ok(loaded.state.view));
            }
            let shutdown = self.executor.ctx.shutdown.clone();
            tokio::select! {
                () = shutdown.cancelled() => return None,
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                () = self.heard() => {}
            }
        }
        None
    }

    /// Something happened in this run, or may have.
    async fn heard(&mut self) {
        loop {
            match self.news.recv().await {
                Ok(key) if key == self.key => return,
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => return,
                // The fold has ended with the process; the look every few seconds remains.
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

/// One of a bounded number.
struct Seat(Arc<AtomicUsize>);

impl Seat {
    fn take(taken: &Arc<AtomicUsize>) -> Result<Self, Status> {
        let seat = Self(taken.clone());
        if taken.fetch_add(1, Ordering::SeqCst) < MAX_WATCHERS {
            return Ok(seat);
        }
        Err(refused(&refusal(
            "TOO_MANY_WATCHERS",
            "a bounded number of people watch runs at once",
            format!("{MAX_WATCHERS} are watching"),
            MAX_WATCHERS.to_string(),
            "ask with GetExecution, or watch again later",
        )))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
