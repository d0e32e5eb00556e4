//! How the logs of this process are: for `GetLog` of every process (a file beside the log), metrics and health.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use muster_domain::{TenantId, pb::audit::v1::WitnessState, time};
use muster_logstore::LogFiles;
use serde::{Deserialize, Serialize};

pub(crate) const FILE: &str = "status";

/// What only the signer knows, for whoever asks another process.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Status {
    /// Why the signer stopped; empty while it works.
    #[serde(default)]
    pub(crate) stopped: String,
    /// Since when checkpoints wait for witnesses; absent while they do not.
    #[serde(default)]
    pub(crate) unwitnessed_since: Option<Timestamp>,
    #[serde(default)]
    pub(crate) witnesses: Vec<Witness>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Witness {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) cosigned_at: Option<Timestamp>,
    pub(crate) problem: String,
}

impl From<WitnessState> for Witness {
    fn from(state: WitnessState) -> Self {
        let cosigned_at = time::from_pb(state.cosigned_at.as_ref());
        Self { name: state.name, size: state.size, cosigned_at, problem: state.problem }
    }
}

impl From<Witness> for WitnessState {
    fn from(witness: Witness) -> Self {
        let cosigned_at = witness.cosigned_at.map(time::to_pb);
        Self { name: witness.name, size: witness.size, cosigned_at, problem: witness.problem }
    }
}

impl Status {
    pub(crate) async fn read(files: &LogFiles) -> Self {
        let content = files.read(FILE).await.ok().flatten();
        content.and_then(|content| serde_json::from_slice(&content).ok()).unwrap_or_default()
    }
}

/// The logs that this process signs.
#[derive(Clone, Default)]
pub(crate) struct Board(Arc<Mutex<BTreeMap<TenantId, Shown>>>);

#[derive(Debug, Clone, Default)]
struct Shown {
    status: Status,
    /// Too long without witnesses: people were told.
    behind: bool,
    /// Whether the file is this process' own: before, it may say what was true for another one.
    written: bool,
}

impl Board {
    /// Changes what is known about a log; `files` get it when it differs.
    pub(crate) async fn update(&self, tenant: &TenantId, files: Option<&LogFiles>, change: impl FnOnce(&mut Status)) {
        let changed = self.with(tenant, |shown| {
            let before = shown.status.clone();
            change(&mut shown.status);
            gauge("muster_audit_log_stopped", tenant, f64::from(u8::from(!shown.status.stopped.is_empty())));
            let news = shown.status != before || (files.is_some() && !shown.written);
            shown.written |= files.is_some();
            news.then(|| shown.status.clone())
        });
        let (Some(status), Some(files)) = (changed, files) else { return };
        let Ok(content) = serde_json::to_vec_pretty(&status) else { return };
        if let Err(error) = files.replace(FILE, content).await {
            tracing::warn!(%tenant, %error, "the log's status cannot be written");
        }
    }

    pub(crate) fn set_behind(&self, tenant: &TenantId, behind: bool) {
        gauge("muster_audit_witnesses_behind", tenant, f64::from(u8::from(behind)));
        self.with(tenant, |shown| shown.behind = behind);
    }

    /// This process no longer signs it.
    pub(crate) fn forget(&self, tenant: &TenantId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(tenant);
    }

    /// What people have to look at, in words without secrets.
    pub(crate) fn problem(&self) -> Option<String> {
        let board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |of: fn(&Shown) -> bool| board.values().filter(|shown| of(shown)).count();
        let (stopped, behind) = (count(|shown| !shown.status.stopped.is_empty()), count(|shown| shown.behind));
        let mut parts = Vec::new();
        parts.extend(
            (stopped > 0).then(|| format!("{stopped} logs have stopped; see `muster audit log` and the runbook")),
        );
        parts.extend((behind > 0).then(|| format!("{behind} logs have waited too long for their witnesses")));
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    fn with<T>(&self, tenant: &TenantId, change: impl FnOnce(&mut Shown) -> T) -> T {
        change(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(tenant.clone()).or_default())
    }
}

pub(crate) fn gauge(name: &'static str, tenant: &TenantId, value: f64) {
    metrics::gauge!(name, "tenant" => tenant.as_str().to_owned()).set(value);
}
