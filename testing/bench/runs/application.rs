//! An application that writes one small row after the other to whichever node takes it, and remembers when each was acknowledged.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Between two writes, and between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(5);
/// A server that is stopping can leave a connection hanging.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
const START_LIMIT: Duration = Duration::from_secs(10);

pub(super) struct Application {
    stop: CancellationToken,
    task: JoinHandle<Vec<Instant>>,
}

impl Application {
    /// Makes its table and writes until it is stopped.
    pub(super) async fn start(urls: [String; 2]) -> Result<Self> {
        let begun = Instant::now();
        while !prepare(&urls).await {
            ensure!(begun.elapsed() < START_LIMIT, "no node takes writes: {urls:?}");
            tokio::time::sleep(PAUSE).await;
        }
        let stop = CancellationToken::new();
        let task = tokio::spawn(write(urls, stop.clone()));
        Ok(Self { stop, task })
    }

    /// Ends, and tells the longest time between two acknowledgements of which the second came after `since`.
    pub(super) async fn stop(self, since: Instant) -> Result<Duration> {
        self.stop.cancel();
        let acknowledged = self.task.await?;
        let gaps = acknowledged.windows(2).filter(|pair| pair[1] >= since).map(|pair| pair[1] - pair[0]);
        gaps.max().context("the application wrote nothing after the move began")
    }
}

async fn prepare(urls: &[String; 2]) -> bool {
    for url in urls {
        let Ok(mut session) = PgConnection::connect(url).await else { continue };
        let table = "CREATE TABLE IF NOT EXISTS bench_writes (n bigint)";
        if sqlx::query(table).execute(&mut session).await.is_ok() && takes_writes(&mut session).await {
            return true;
        }
    }
    false
}

/// On a standby a table that is there already is no error.
async fn takes_writes(session: &mut PgConnection) -> bool {
    insert(session).await.is_ok()
}

async fn write(urls: [String; 2], stop: CancellationToken) -> Vec<Instant> {
    let mut acknowledged = Vec::new();
    while !stop.is_cancelled() {
        for url in &urls {
            let Ok(Ok(mut session)) = tokio::time::timeout(ANSWER_LIMIT, PgConnection::connect(url)).await else {
                continue;
            };
            while !stop.is_cancelled() {
                let Ok(Ok(())) = tokio::time::timeout(ANSWER_LIMIT, insert(&mut session)).await else { break };
                acknowledged.push(Instant::now());
                tokio::time::sleep(PAUSE).await;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    acknowledged
}

async fn insert(session: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO bench_writes VALUES (1)").execute(session).await.map(drop)
}
