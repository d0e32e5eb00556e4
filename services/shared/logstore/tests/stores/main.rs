//! A folder, a bucket and an object store in memory keep the same promises.

#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

mod bucket;

use std::{path::PathBuf, sync::Arc};

use muster_logstore::{Created, LogFiles, LogStore, StoreError};
use object_store::{memory::InMemory, path::Path};

struct Stores {
    folder: tempfile::TempDir,
    memory: LogStore,
    bucket: LogStore,
}

impl Stores {
    async fn new() -> Self {
        let memory = LogStore::on(Arc::new(InMemory::new()), Path::from("shared/logs"), "memory");
        let bucket = LogStore::on(bucket::start().await, Path::from("shared/logs"), "s3://logs/shared/logs");
        Self { folder: tempfile::tempdir().unwrap(), memory, bucket }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn all(&self) -> [LogStore; 3] {
        let folder = LogStore::open(self.path().to_str().unwrap()).unwrap();
        [folder, self.memory.clone(), self.bucket.clone()]
    }

    fn logs(&self) -> [LogFiles; 3] {
        self.all().map(|store| store.log(&"acme".parse().unwrap(), 1))
    }
}

#[tokio::test]
async fn what_is_created_is_never_changed() {
    let stores = Stores::new().await;
    for log in stores.logs() {
        let file = "tile/0/x001/234.p/56";
        assert_eq!(log.read(file).await.unwrap(), None);
        assert_eq!(log.create(file, "one").await.unwrap(), Created::New);
        assert_eq!(log.create(file, "one").await.unwrap(), Created::Same);
        assert_eq!(log.create(file, "two").await.unwrap(), Created::Different);
        assert_eq!(log.read(file).await.unwrap().unwrap(), "one");
        log.replace("checkpoint", "a").await.unwrap();
        log.replace("checkpoint", "b").await.unwrap();
        assert_eq!(log.read("checkpoint").await.unwrap().unwrap(), "b");
        assert_eq!(log.list("tile").await.unwrap(), [file]);
    }
    assert!(stores.path().join("acme/1/tile/0/x001/234.p/56").is_file());
}

#[tokio::test]
async fn of_two_who_saw_the_same_state_one_may_write() {
    for log in Stores::new().await.logs() {
        let first = log.compare_and_set("signer", None, "1").await.unwrap().unwrap();
        assert_eq!(log.compare_and_set("signer", None, "other").await.unwrap(), None, "it is there");
        let seen = log.read_versioned("signer").await.unwrap().unwrap();
        assert_eq!((seen.content.as_ref(), &seen.version), (b"1".as_slice(), &first));
        let second = log.compare_and_set("signer", Some(&seen.version), "2").await.unwrap().unwrap();
        assert_eq!(log.compare_and_set("signer", Some(&first), "3").await.unwrap(), None, "it moved on");
        assert!(log.compare_and_set("signer", Some(&second), "3").await.unwrap().is_some());
        assert_eq!(log.read("signer").await.unwrap().unwrap(), "3");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_racing_writers_each_step_has_one_winner() {
    const WRITERS: usize = 8;
    const STEPS: usize = 10;
    for log in Stores::new().await.logs() {
        let mut seen = None;
        for step in 0..STEPS {
            let write = |writer: usize| {
                let (log, seen) = (log.clone(), seen.clone());
                tokio::spawn(async move {
                    log.compare_and_set("signer", seen.as_ref(), format!("{step} by {writer}")).await.unwrap()
                })
            };
            let tasks: Vec<_> = (0..WRITERS).map(write).collect();
            let mut winners = Vec::new();
            for task in tasks {
                winners.extend(task.await.unwrap());
            }
            assert_eq!(winners.len(), 1, "step {step}");
            seen = winners.pop();
        }
    }
}

#[tokio::test]
async fn a_name_cannot_leave_the_log() {
    for log in Stores::new().await.logs() {
        for name in ["", "..", "../2/checkpoint", "/etc/passwd", "tile//0", "tile/./0", ".signer", "a\\b", "a\u{0}"] {
            assert!(matches!(log.read(name).await.unwrap_err(), StoreError::Name { .. }), "{name:?}");
        }
    }
}

#[tokio::test]
async fn epochs_are_found_by_their_folders() {
    let stores = Stores::new().await;
    for store in stores.all() {
        let acme = "acme".parse().unwrap();
        assert!(store.epochs(&acme).await.unwrap().is_empty());
        for epoch in [2, 10, 1] {
            store.log(&acme, epoch).replace("checkpoint", "x").await.unwrap();
        }
        assert_eq!(store.epochs(&acme).await.unwrap(), [1, 2, 10]);
        assert!(store.epochs(&"globex".parse().unwrap()).await.unwrap().is_empty());
    }
}

#[test]
fn a_location_that_cannot_be_used_says_what_could() {
    for wrong in ["", "relative/folder", "s3://", "http://bucket", "/proc/no/such/folder"] {
        let text = LogStore::open(wrong).unwrap_err().to_string();
        assert!(text.contains("s3://bucket/prefix"), "{text}");
    }
}
