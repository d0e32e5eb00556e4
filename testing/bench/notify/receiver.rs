//! The far side of a webhook: notes when which alert arrived, and can be down.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use serde_json::Value;
use tokio::net::TcpListener;

/// What was taken.
#[derive(Default)]
pub(crate) struct Taken {
    /// By the alert's id, when it first came by itself.
    pub(crate) single: BTreeMap<String, Instant>,
    /// How many alerts each message told of several has counted.
    pub(crate) groups: Vec<u64>,
    pub(crate) doubled: usize,
    /// Requests that met the closed door.
    pub(crate) refused: usize,
    /// The tier of each message, in the order in which they came.
    pub(crate) tiers: Vec<u64>,
}

impl Taken {
    /// Alerts that were told, by themselves or counted with others.
    pub(crate) fn told(&self) -> u64 {
        self.single.len() as u64 + self.groups.iter().sum::<u64>()
    }
}

#[derive(Clone, Default)]
struct Door {
    taken: Arc<Mutex<Taken>>,
    closed: Arc<AtomicBool>,
}

pub(crate) struct Receiver {
    pub(crate) url: String,
    door: Door,
}

impl Receiver {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/alerts", listener.local_addr()?);
        let door = Door::default();
        let router = Router::new().route("/alerts", post(take)).with_state(door.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, door })
    }

    pub(crate) fn close(&self, closed: bool) {
        self.door.closed.store(closed, Ordering::SeqCst);
    }

    pub(crate) fn taken(&self) -> MutexGuard<'_, Taken> {
        self.door.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until so many alerts were told.
    pub(crate) async fn all(&self, wanted: usize, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            let told = self.taken().told();
            if told >= wanted as u64 {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{told} of {wanted} alerts were told in {} s", patience.as_secs());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn take(State(door): State<Door>, Json(body): Json<Value>) -> StatusCode {
    let now = Instant::now();
    let mut taken = door.taken.lock().unwrap_or_else(PoisonError::into_inner);
    if door.closed.load(Ordering::SeqCst) {
        taken.refused += 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let text = |name: &str| body["data"][name].as_str().unwrap_or_default().to_owned();
    taken.tiers.push(body["data"]["tier"].as_u64().unwrap_or_default());
    match counted(&text("subject")) {
        Some(alerts) => taken.groups.push(alerts),
        None if taken.single.contains_key(&text("alert_id")) => taken.doubled += 1,
        None => {
            taken.single.insert(text("alert_id"), now);
        }
    }
    StatusCode::OK
}

/// "WARNING: 380 more messages 'rpo.breached' …"
fn counted(subject: &str) -> Option<u64> {
    let (_, rest) = subject.split_once(": ")?;
    let (number, rest) = rest.split_once(' ')?;
    rest.starts_with("more message").then(|| number.parse().ok())?
}
