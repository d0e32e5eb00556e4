//! When checkpoints go to their anchors: every hour or as configured, and on demand. An anchor that cannot be reached
//! holds up nothing; it is asked again, and people are told when it is far behind.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
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

    /// Keeps the newest checkpoint at every anchor whose time has come.
    pub(crate) async fn keep_due(&self, log: &dyn Keeper, now: Timestamp) {
        self.keep(log, now, false).await;
    }

    /// Keeps it at every anchor now, before the key changes hands for example.
    pub(crate) async fn keep_now(&self, log: &dyn Keeper, now: Timestamp) {
        self.keep(log, now, true).await;
    }

    async fn keep(&self, log: &dyn Keeper, now: Timestamp, all: bool) {
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
            if let Err(error) = self.keep_at(place, log, &signed, now, all).await {
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
        all: bool,
    ) -> Result<(), AnchorError> {
        let kept = place.kept(log).await?;
        if !all && (self.must_wait(place, &signed.checkpoint.origin, now) || !is_due(place.every, kept.as_ref(), signed, now))
        {
            return Ok(());
        }
        let receipt = place.anchor.keep(signed).await?;
        place.finish(log, signed, &receipt, now).await?;
        self.waits().remove(&(signed.checkpoint.origin.clone(), place.name.clone()));
        metrics::counter!("muster_audit_anchored_total", "anchor" => place.name.clone()).increment(1);
        tracing::info!(anchor = place.name, size = signed.checkpoint.size, location = receipt.location, "checkpoint anchored");
        Ok(())
    }

    async fn failed(
        &self,
        place: &Place,
        log: &dyn Keeper,
        signed: &Signed,
        error: &AnchorError,
        now: Timestamp,
    ) {
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
            Some(_) => tracing::warn!(anchor = place.name, origin, %error, "a checkpoint is not anchored; trying again"),
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
        now.duration_since(kept.at) >= every && (kept.size, &kept.root) != (signed.checkpoint.size, &signed.checkpoint.root)
    })
}

fn split(&self, split: SplitDetected);
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

    /// Keeps the newest checkpoint at every anchor whose time has come.
    pub(crate) async fn keep_due(&self, log: &dyn Keeper, now: Timestamp) {
        self.keep(log, now, false).await;
    }

    /// Keeps it at every anchor now, before the key changes hands for example.
    pub(crate) async fn keep_now(&self, log: &dyn Keeper, now: Timestamp) {
        self.keep(log, now, true).await;
    }

    /// The largest checkpoint of this log that each anchor holds: (anchor, signed note). Anchors that cannot say are
    /// left out; their problem is logged.
    pub(crate) async fn largest(&self, origin: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for place in &self.places {
            match place.anchor.largest(origin).await {
                Ok(largest) => found.extend(largest.map(|note| (place.name.clone(), note))),
                Err(error) => tracing::warn!(anchor = place.name, %error, "an anchor cannot say what it holds"),
            }
        }
        found
    }

    async fn keep(&self, log: &dyn Keeper, now: Timestamp, all: bool) {
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
            if let Err(error) = self.keep_at(place, log, &signed, now, all).await {
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
        all: bool,
    ) -> Result<(), AnchorError> {
        let kept = place.kept(log).await?;
        if !all && (self.must_wait(place, &signed.checkpoint.origin, now) || !is_due(place.every, kept.as_ref(), signed, now))
        {
            return Ok(());
        }
        let receipt = place.anchor.keep(signed).await?;
        place.finish(log, signed, &receipt, now).await?;
        self.waits().remove(&(signed.checkpoint.origin.clone(), place.name.clone()));
        metrics::counter!("muster_audit_anchored_total", "anchor" => place.name.clone()).increment(1);
        tracing::info!(anchor = place.name, size = signed.checkpoint.size, location = receipt.location, "checkpoint anchored");
        Ok(())
    }

    async fn failed(
        &self,
        place: &Place,
        log: &dyn Keeper,
        signed: &Signed,
        error: &AnchorError,
        now: Timestamp,
    ) {
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
            Some(_) => tracing::warn!(anchor = place.name, origin, %error, "a checkpoint is not anchored; trying again"),
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
        now.duration_since(kept.at) >= every && (kept.size, &kept.root) != (signed.checkpoint.size, &signed.checkpoint.root)
    })
}

fn checkpoint_ref(signed: &Signed) -> CheckpointRef {
    CheckpointRef { origin: signed.checkpoint.origin.clone(), size: signed.checkpoint.size, root: signed.checkpoint.root.clone() }
}

fn split(anchor: &str, ours: &Signed, theirs: &str, theirs_size: u64) -> SplitDetected {
    let root = theirs.lines().nth(2).unwrap_or_default();
    let theirs = CheckpointRef { origin: ours.checkpoint.origin.clone(), size: theirs_size, root: hex_of_base64(root) };
    let text = if theirs_size > ours.checkpoint.size {
        format!("anchor {anchor} holds this log at size {theirs_size}, ours is {}: the store was rolled back", ours.checkpoint.size)
    } else {
        format!("anchor {anchor} holds another tree of size {theirs_size}: one of the two was changed")
    };
    SplitDetected { ours: Some(ours.checkpoint.clone()), theirs: Some(theirs), seen_by: format!("anchor:{anchor}"), text }
}

/// Roots are base64 in checkpoints and hex in events. What is no base64 is shown as it is.
fn hex_of_base64(text: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.decode(text).map_or_else(|_| text.to_owned(), |bytes| hex(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[derive(Default)]
    struct Log {
        checkpoint: Mutex<Option<Signed>>,
        files: Mutex<HashMap<String, Vec<u8>>>,
        events: Mutex<Vec<CheckpointAnchored>>,
        splits: Mutex<Vec<SplitDetected>>,
    }

    #[async_trait]
    impl Keeper for Log {
        async fn published(&self) -> Result<Option<Signed>, String> {
            Ok(self.checkpoint.lock().unwrap().clone())
        }
        fn is_ours(&self, note: &str) -> bool {
            note.starts_with("o\n")
        }
        async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
            Ok(self.files.lock().unwrap().get(path).cloned())
        }
        async fn write(&self, path: &str, content: Vec<u8>) -> Result<(), String> {
            self.files.lock().unwrap().insert(path.to_owned(), content);
            Ok(())
        }
        async fn anchored(&self, anchored: CheckpointAnchored) -> Result<(), String> {
            self.events.lock().unwrap().push(anchored);
            Ok(())
        }
        async fn split(&self, split: SplitDetected) {
            self.splits.lock().unwrap().push(split);
        }
    }

    #[derive(Default)]
    struct Shelf {
        away: AtomicBool,
        different: AtomicBool,
        forged: AtomicBool,
    }

    #[async_trait]
    impl Anchor for Shelf {
        fn kind(&self) -> &'static str {
            "folder"
        }
        async fn keep(&self, signed: &Signed) -> Result<Receipt, AnchorError> {
            if self.away.load(Ordering::SeqCst) {
                return Err(AnchorError::Failed("away".into()));
            }
            if self.different.load(Ordering::SeqCst) {
                return Err(AnchorError::Different { theirs: "o\n90\nqqo=\n\n".into(), theirs_size: 90 });
            }
            if self.forged.load(Ordering::SeqCst) {
                return Err(AnchorError::Different { theirs: "not signed by us".into(), theirs_size: 90 });
            }
            let location = format!("shelf/{}", signed.checkpoint.size);
            Ok(Receipt { location, bytes: vec![1], files: vec![("token".into(), vec![2])] })
        }
        async fn largest(&self, _origin: &str) -> Result<Option<String>, AnchorError> {
            Ok(None)
        }
    }

    fn anchors() -> (Anchors, Arc<Shelf>) {
        let shelf = Arc::new(Shelf::default());
        let every = SignedDuration::from_hours(1);
        let place = Place { name: "shelf".into(), every, anchor: shelf.clone() };
        (Anchors { places: vec![place], not_before: Mutex::default() }, shelf)
    }

    fn checkpoint(size: u64) -> Option<Signed> {
        let note = format!("o\n{size}\nAAAA\n\n\u{2014} o x\n");
        let checkpoint = CheckpointRef { origin: "o".into(), size, root: format!("{size:04}") };
        Some(Signed { checkpoint, note })
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minutes).unwrap()
    }

    #[tokio::test]
    async fn once_an_hour_when_there_is_something_new_and_on_demand() {
        let ((anchors, _), log) = (anchors(), Log::default());
        let sizes = || log.events.lock().unwrap().iter().map(|e| e.checkpoint.clone().unwrap().size).collect::<Vec<_>>();
        anchors.keep_due(&log, at(0)).await;
        assert!(sizes().is_empty(), "nothing is published yet");
        for (minute, size, expected) in
            [(0, 5, vec![5]), (59, 7, vec![5]), (60, 7, vec![5, 7]), (180, 7, vec![5, 7]), (181, 8, vec![5, 7, 8])]
        {
            *log.checkpoint.lock().unwrap() = checkpoint(size);
            anchors.keep_due(&log, at(minute)).await;
            assert_eq!(sizes(), expected, "at {minute}");
        }
        *log.checkpoint.lock().unwrap() = checkpoint(9);
        anchors.keep_now(&log, at(182)).await;
        assert_eq!(sizes(), [5, 7, 8, 9]);
        assert_eq!(log.files.lock().unwrap()["anchor/shelf/token"], [2]);
        assert_eq!(log.events.lock().unwrap()[0].location, "shelf/5");
    }

    #[tokio::test]
    async fn a_dead_anchor_is_asked_again_after_a_pause() {
        let ((anchors, shelf), log) = (anchors(), Log::default());
        *log.checkpoint.lock().unwrap() = checkpoint(5);
        shelf.away.store(true, Ordering::SeqCst);
        anchors.keep_due(&log, at(0)).await;
        shelf.away.store(false, Ordering::SeqCst);
        anchors.keep_due(&log, at(0)).await;
        assert!(log.events.lock().unwrap().is_empty());
        anchors.keep_due(&log, at(1)).await;
        assert_eq!(log.events.lock().unwrap().len(), 1);
    }

    /// Who can write at an anchor could otherwise stop every log.
    #[tokio::test]
    async fn what_the_log_never_signed_is_a_broken_anchor_and_no_split() {
        let ((anchors, shelf), log) = (anchors(), Log::default());
        *log.checkpoint.lock().unwrap() = checkpoint(5);
        shelf.forged.store(true, Ordering::SeqCst);
        anchors.keep_due(&log, at(0)).await;
        assert!(log.splits.lock().unwrap().is_empty() && log.events.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn another_tree_at_an_anchor_is_a_split() {
        let ((anchors, shelf), log) = (anchors(), Log::default());
        *log.checkpoint.lock().unwrap() = checkpoint(5);
        shelf.different.store(true, Ordering::SeqCst);
        anchors.keep_due(&log, at(0)).await;
        let splits = log.splits.lock().unwrap();
        let [found] = splits.as_slice() else { unreachable!("one split: {splits:?}") };
        assert_eq!((found.seen_by.as_str(), found.theirs.clone().unwrap().root.as_str()), ("anchor:shelf", "aaaa"));
        assert_eq!(found.text, "anchor shelf holds this log at size 90, ours is 5: the store was rolled back");
        assert!(log.events.lock().unwrap().is_empty());
    }
}
