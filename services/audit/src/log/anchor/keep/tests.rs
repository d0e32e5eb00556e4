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
async fn once_an_hour_when_there_is_something_new() {
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
