//! The signer is killed at every single write, before it and after it; what was seen meanwhile stays true.

#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use futures::stream::BoxStream;
use muster_domain::{
    audit::{AuditLog, LogKey},
    pb::audit::v1::EpochOpened,
};
use muster_logstore::{LogFiles, LogStore};
use muster_tlog::{Algorithm, Checkpoint, Frontier, Hash, Note, SigningKey, SoftwareKey, leaf_hash};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
};

use super::{
    begin::Begun,
    growth::Growth,
    leaves::Leaves,
    proofs::Proofs,
    publish::{Keys, PENDING, publish},
    signer::Signer,
};

const ORIGIN: &str = "audit.example/one/record/1";
/// Sizes that are published one after the other: within a tile, over its end, and far beyond.
const SIZES: [u64; 5] = [1, 3, 255, 258, 1030];

/// A store whose user is killed at one of its writes.
#[derive(Debug)]
struct Deadly {
    store: Arc<InMemory>,
    writes_left: AtomicUsize,
    /// Whether the last write still happens.
    is_done: bool,
}

#[async_trait]
impl ObjectStore for Deadly {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let left = self.writes_left.load(Ordering::SeqCst);
        if left > 0 {
            self.writes_left.store(left - 1, Ordering::SeqCst);
        }
        if left > 1 || (left == 1 && self.is_done) {
            let put = self.store.put_opts(location, payload, opts).await;
            if left > 1 {
                return put;
            }
        }
        Err(Error::Generic { store: "deadly", source: "killed".into() })
    }
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.store.get_opts(location, options).await
    }
    async fn put_multipart_opts(&self, to: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(to, opts).await
    }
    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.store.delete_stream(locations)
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list(prefix)
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.store.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.store.copy_opts(from, to, options).await
    }
}

impl std::fmt::Display for Deadly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("deadly")
    }
}

fn files(store: Arc<dyn ObjectStore>) -> LogFiles {
    LogStore::on(store, Path::default(), "memory").log(&"acme".parse().unwrap(), 1)
}

fn key() -> SoftwareKey {
    SoftwareKey::from_seed(ORIGIN, Algorithm::Ed25519, &[9; 32]).unwrap()
}

fn leaf(index: u64) -> String {
    format!("leaf {index}")
}

fn root_of(size: u64) -> Hash {
    let mut frontier = Frontier::new();
    (0..size).for_each(|index| frontier.push(leaf_hash(leaf(index).as_bytes())));
    frontier.root()
}

/// A process that begins where the store is, and goes on until it is killed or all sizes are published.
async fn live(files: &LogFiles) -> std::result::Result<(), super::fault::Fault> {
    let signer = Signer::open(files).await?;
    let growth = match signer.state() {
        None => Growth::default(),
        Some(state) => Growth::resume(files, state.size).await?,
    };
    let opened = EpochOpened { origin: ORIGIN.into(), epoch: 1, first_sequence: 1, ..EpochOpened::default() };
    let mut begun = Begun {
        log: AuditLog::default(),
        leaves: Leaves::new(&opened),
        opened,
        files: files.clone(),
        growth,
        signer,
        stream_created: String::new(),
    };
    let log_key = LogKey { verifier_key: key().verifier().to_string(), until: None, revoked: false };
    let keys = Keys::of(vec![Arc::new(key())], vec![log_key]);
    if begun.growth.size() > 0 {
        publish(&mut begun, &keys).await?;
    }
    for size in SIZES {
        while begun.growth.size() < size {
            let next = begun.growth.size();
            begun.growth.push(&leaf(next)).unwrap();
        }
        if begun.growth.size() == size {
            publish(&mut begun, &keys).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn killed_at_every_write_it_goes_on_as_one_tree() {
    let roots: Vec<(u64, Hash)> = SIZES.iter().map(|size| (*size, root_of(*size))).collect();
    let (mut kills, mut survived) = (0, false);
    while !survived {
        kills += 1;
        for is_done in [false, true] {
            let store = Arc::new(InMemory::new());
            let deadly = Deadly { store: store.clone(), writes_left: AtomicUsize::new(kills), is_done };
            survived = live(&files(Arc::new(deadly))).await.is_ok();
            let whole = files(store);
            check(&whole, &roots).await;
            live(&whole).await.unwrap();
            check(&whole, &roots).await;
            let last = pending(&whole).await.unwrap();
            assert_eq!((last.size, last.root), *roots.last().unwrap(), "after kill {kills}");
        }
    }
    assert!(kills > 30, "only {kills} writes: nothing was tried");
}

async fn pending(files: &LogFiles) -> Option<Checkpoint> {
    let note = files.read(PENDING).await.unwrap()?;
    let (checkpoint, ..) = Checkpoint::open(&note, &[key().verifier().clone()]).unwrap();
    assert_eq!(Note::parse(&note).unwrap().signatures().len(), 1);
    Some(checkpoint)
}

/// Whatever is signed is of the one tree, its files are there, and the signer's state is not behind it.
async fn check(files: &LogFiles, roots: &[(u64, Hash)]) {
    let Some(signed) = pending(files).await else { return };
    assert!(roots.contains(&(signed.size, signed.root)), "{signed:?}");
    assert_eq!(Proofs::new(files.clone()).root(signed.size, signed.size).await.unwrap(), signed.root);
    let state = super::signer::SignerState::read(files).await.unwrap().unwrap();
    assert!(state.size >= signed.size);
}
