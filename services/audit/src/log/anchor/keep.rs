//! When checkpoints go to their anchors: every hour or as configured, and on demand. An anchor that cannot be reached
//! holds up nothing; it is asked again, and people are told when it is far behind.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use muster_domain::pb::audit::v1::{CheckpointAnchored, CheckpointRef, SplitDetected};
use muster_runtime::{Clock, config::AuditAnchor};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Anchor, AnchorError, Receipt, open, size_of};
use crate::log::vouch::{Copies, Signed};

/// After a failure, so that a dead anchor costs nothing.
const PAUSE: SignedDuration = SignedDuration::from_secs(60);
const SHORTEST_TIME: Duration = Duration::from_secs(1);
/// An anchor that is behind by so many of its intervals is an alarm and no hiccup.
const LATE: i32 = 3;

/// What the log does for its anchors.
#[async_trait]
pub(crate) trait Keeper: Send + Sync {
    /// The newest published checkpoint, `None` before the first.
    async fn published(&self) -> Result<Option<Signed>, String>;
    /// Whether this signed note is a checkpoint that a key of this log signed.
    fn is_ours(&self, note: &str) -> bool;
    /// A small file in the log's own directory, by its path below it.
    async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String>;
    async fn write(&self, path: &str, content: Vec<u8>) -> Result<(), String>;
    /// Puts `audit.checkpoint.anchored` into the record, once for each checkpoint and place.
    async fn anchored(&self, anchored: CheckpointAnchored) -> Result<(), String>;
    /// An anchor holds another tree than ours: `audit.split.detected`, and the signer stops.
    async fn split(&self, split: SplitDetected);
}

/// What the newest checkpoint at one anchor is, kept beside the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) size: u64,
    pub(crate) root: String,
    pub(crate) at: Timestamp,
    pub(crate) location: String,
}

struct Place {
    name: String,
    every: SignedDuration,
    anchor: Arc<dyn Anchor>,
}

/// All anchors of the installation.
pub(crate) struct Anchors {
    places: Vec<Place>,
    /// Not before this, after a failure; by origin and anchor.
    not_before: Mutex<HashMap<(String, String), Timestamp>>,
}

impl Anchors {
    pub(crate) fn open(config: &[AuditAnchor], clock: &Clock) -> Result<Self, AnchorError> {
        let place = |one: &AuditAnchor| {
            let every = SignedDuration::try_from(*one.every).map_err(|e| AnchorError::failed("every", e))?;
            Ok(Place { name: one.name.clone(), every, anchor: open(one, clock.clone())? })
        };
        Ok(Self { places: config.iter().map(place).collect::<Result<_, AnchorError>>()?, not_before: Mutex::default() })
    }

    /// The shortest time between two checkpoints at one anchor, at least a second.
    pub(crate) fn shortest_time(&self) -> Option<Duration> {
        let times = self.places.iter().filter_map(|place| Duration::try_from(place.every).ok());
        times.min().map(|time| time.max(SHORTEST_TIME))
    }

    /// Keeps the newest checkpoint at every anchor whose time has come.
    pub(crate) async fn keep_due(&self, log: &dyn Keeper, now: Timestamp) {
        if self.places.is_empty() {
            return;
        }
        let signed = match log.published().await {
            Ok(Some(signed)) => signed,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(error, "the published checkpoint cannot be read; nothing is anchored");
                return;
            }
        };
        for place in &self.places {
            if let Err(error) = self.keep_at(place, log, &signed, now).await {
                self.failed(place, log, &signed, &error, now).await;
            }
        }
    }

    async fn keep_at(
        &self,
        place: &Place,
        log: &dyn Keeper,
        signed: &Signed,
        now: Timestamp,
    ) -> Result<(), AnchorError> {
        let kept = place.kept(log).await?;
        if self.must_wait(place, &signed.checkpoint.origin, now) || !is_due(place.every, kept.as_ref(), signed, now) {
            return Ok(());
        }
        let receipt = place.anchor.keep(signed).await?;
        place.finish(log, signed, &receipt, now).await?;
        self.waits().remove(&(signed.checkpoint.origin.clone(), place.name.clone()));
        metrics::counter!("muster_audit_anchored_total", "anchor" => place.name.clone()).increment(1);
        tracing::info!(
            anchor = place.name,
            size = signed.checkpoint.size,
            location = receipt.location,
            "checkpoint anchored"
        );
        Ok(())
    }

    async fn failed(&self, place: &Place, log: &dyn Keeper, signed: &Signed, error: &AnchorError, now: Timestamp) {
        let origin = &signed.checkpoint.origin;
        self.waits().insert((origin.clone(), place.name.clone()), now.saturating_add(PAUSE).unwrap_or(now));
        metrics::counter!("muster_audit_anchor_failures_total", "anchor" => place.name.clone()).increment(1);
        if let AnchorError::Different { theirs, theirs_size } = error
            && log.is_ours(theirs)
        {
            tracing::error!(anchor = place.name, origin, size = signed.checkpoint.size, %error, "AUDIT ALARM: an anchor holds another tree");
            log.split(split(&place.name, signed, theirs, *theirs_size)).await;
            return;
        }
        let kept = place.kept(log).await.ok().flatten();
        match kept.filter(|kept| now.duration_since(kept.at) <= place.every * LATE) {
            Some(_) => {
                tracing::warn!(anchor = place.name, origin, %error, "a checkpoint is not anchored; trying again")
            }
            None => tracing::error!(anchor = place.name, origin, %error, "AUDIT ALARM: an anchor is far behind"),
        }
    }

    fn must_wait(&self, place: &Place, origin: &str, now: Timestamp) -> bool {
        self.waits().get(&(origin.to_owned(), place.name.clone())).is_some_and(|until| now < *until)
    }

    fn waits(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), Timestamp>> {
        self.not_before.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Copies for Anchors {
    async fn largest(&self, origin: &str) -> Option<(String, String)> {
        let mut found = Vec::new();
        for place in &self.places {
            match place.anchor.largest(origin).await {
                Ok(Some(note)) => found.push((size_of(&note), note, format!("anchor:{}", place.name))),
                Ok(None) => {}
                Err(error) => tracing::warn!(anchor = place.name, %error, "an anchor cannot say what it holds"),
            }
        }
        found.into_iter().max().map(|(_, note, seen_by)| (note, seen_by))
    }
}

impl Place {
    fn path(&self, file: &str) -> String {
        format!("anchor/{}/{file}", self.name)
    }

    async fn kept(&self, log: &dyn Keeper) -> Result<Option<Kept>, AnchorError> {
        let bytes = log.read(&self.path("newest.json")).await.map_err(AnchorError::Failed)?;
        // A file that cannot be read is one that is not there: the checkpoint is kept once more.
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Tokens first, then the event, then the note that it is done: killed in between, it is done again.
    async fn finish(
        &self,
        log: &dyn Keeper,
        signed: &Signed,
        receipt: &Receipt,
        now: Timestamp,
    ) -> Result<(), AnchorError> {
        for (name, content) in &receipt.files {
            log.write(&self.path(name), content.clone()).await.map_err(AnchorError::Failed)?;
        }
        let anchored = CheckpointAnchored {
            checkpoint: Some(signed.checkpoint.clone()),
            kind: self.anchor.kind().to_owned(),
            location: receipt.location.clone(),
            receipt_sha256: hex(&Sha256::digest(&receipt.bytes)),
        };
        log.anchored(anchored).await.map_err(AnchorError::Failed)?;
        let kept = Kept {
            size: signed.checkpoint.size,
            root: signed.checkpoint.root.clone(),
            at: now,
            location: receipt.location.clone(),
        };
        let json = serde_json::to_vec(&kept).map_err(|e| AnchorError::failed("newest.json", e))?;
        log.write(&self.path("newest.json"), json).await.map_err(AnchorError::Failed)
    }
}

/// Its time has come, and there is something new.
fn is_due(every: SignedDuration, kept: Option<&Kept>, signed: &Signed, now: Timestamp) -> bool {
    kept.is_none_or(|kept| {
        now.duration_since(kept.at) >= every
            && (kept.size, &kept.root) != (signed.checkpoint.size, &signed.checkpoint.root)
    })
}

fn split(anchor: &str, ours: &Signed, theirs: &str, theirs_size: u64) -> SplitDetected {
    let root = theirs.lines().nth(2).unwrap_or_default();
    let theirs = CheckpointRef { origin: ours.checkpoint.origin.clone(), size: theirs_size, root: hex_of_base64(root) };
    let text = if theirs_size > ours.checkpoint.size {
        format!(
            "anchor {anchor} holds this log at size {theirs_size}, ours is {}: the store was rolled back",
            ours.checkpoint.size
        )
    } else {
        format!("anchor {anchor} holds another tree of size {theirs_size}: one of the two was changed")
    };
    SplitDetected {
        ours: Some(ours.checkpoint.clone()),
        theirs: Some(theirs),
        seen_by: format!("anchor:{anchor}"),
        text,
    }
}

/// Roots are base64 in checkpoints and hex in events. What is no base64 is shown as it is.
fn hex_of_base64(text: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.decode(text).map_or_else(|_| text.to_owned(), |bytes| hex(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
