//! The client against the real witness, and against servers that are none.

#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{net::SocketAddr, path::Path};

use muster_runtime::{Config, config};
use muster_tlog::{
    Checkpoint, Frontier, Hash, Note, SigningKey, SoftwareKey, leaf_hash, merkle, merkle::HashReader, tree::Subtree,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::*;

const ORIGIN: &str = "audit.example/01TENANT/record/1";

/// A log in memory, forked or not.
struct Log(Vec<Hash>);

impl HashReader for Log {
    type Error = merkle::ProofError;

    fn hash(&self, of: Subtree) -> Result<Hash, Self::Error> {
        let first = usize::try_from(of.first_leaf()).unwrap();
        let mut tree = Frontier::new();
        tree.extend(self.0[first..first + usize::try_from(of.leaves()).unwrap()].iter().copied());
        Ok(tree.root())
    }
}

#[async_trait]
impl Consistency for Log {
    async fn consistency(&self, old: u64, new: u64) -> Result<Vec<[u8; 32]>, String> {
        let proof = merkle::prove_consistency(old, new, self).map_err(|error| error.to_string())?;
        Ok(proof.into_iter().map(|hash| hash.0).collect())
    }
}

impl Log {
    fn forked(at: usize) -> Self {
        let leaf = |i: usize| leaf_hash(format!("{} {i}", if i < at { "leaf" } else { "other" }).as_bytes());
        Self((0..100).map(leaf).collect())
    }

    fn honest() -> Self {
        Self::forked(100)
    }

    fn key() -> SoftwareKey {
        SoftwareKey::from_seed(ORIGIN, Algorithm::Ed25519, &[7; 32]).unwrap()
    }

    fn signed(&self, size: u64) -> Signed {
        let root = merkle::root(size, self).unwrap();
        let note = Checkpoint::new(ORIGIN, size, root).sign(&[&Self::key()]).unwrap().to_string();
        Signed { checkpoint: CheckpointRef { origin: ORIGIN.to_owned(), size, root: root.to_hex() }, note }
    }
}

async fn witness(folder: &Path, name: &str) -> (AuditWitness, DropGuard) {
    let mut config = Config::default();
    config.witness = config::Witness {
        name: format!("{name}.example"),
        state: folder.join(format!("{name}.state")),
        key: folder.join(format!("{name}.key")),
        logs: vec![Log::key().verifier().to_string()],
        ..config::Witness::default()
    };
    let key = muster_witness::prepare(&config).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move { muster_witness::run(&config, listener, token).await });
    (AuditWitness { name: name.to_owned(), url, verifier_key: key.to_string() }, stop.drop_guard())
}

/// Something that answers every request so, or never.
async fn server(answer: Option<&'static str>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = vec![0; 8192];
                let _ = stream.read(&mut request).await;
                match answer {
                    Some(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
                    None => std::future::pending().await,
                }
            });
        }
    });
    address
}

fn at(address: SocketAddr, name: &str) -> AuditWitness {
    let key = SoftwareKey::from_seed(
        &format!("{name}.example"),
        Algorithm::CosignatureV1,
        &[name.len().to_le_bytes()[0]; 32],
    )
    .unwrap();
    let verifier_key = key.verifier().to_string();
    AuditWitness { name: name.to_owned(), url: format!("http://{address}"), verifier_key }
}

#[tokio::test]
async fn a_quorum_suffices_whatever_the_others_do() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::honest();
    let ((one, _one), (two, _two)) = (witness(folder.path(), "one").await, witness(folder.path(), "two").await);
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let nonsense = server(Some("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello\n")).await;
    let all = [at(gone, "gone"), one, at(server(None).await, "silent"), two, at(nonsense, "odd")];
    let cosigners = Cosigners::open(&all, 2).unwrap();
    let policy = format!("log {}\n{}", Log::key().verifier(), cosigners.policy());
    let policy: Policy = policy.parse().unwrap();

    for size in [10, 20, 100] {
        let signed = log.signed(size);
        let began = Instant::now();
        let cosigned = cosigners.cosign(&signed, &log).await;
        assert!(began.elapsed() < TOTAL_LIMIT, "the silent one held it up for {:?}", began.elapsed());
        assert!(cosigned.quorum && cosigned.split.is_none(), "{cosigned:?}");
        let mut missing = cosigned.missing.clone();
        missing.sort();
        assert_eq!(missing, ["gone", "odd", "silent"]);
        let mut note = Note::parse(signed.note.as_bytes()).unwrap();
        cosigned.lines.iter().for_each(|line| note.add(muster_tlog::note::parse_signature(line).unwrap()));
        assert!(policy.judge(&note).unwrap().quorum);
    }
    let states = cosigners.states(ORIGIN);
    let told: Vec<_> = states.iter().map(|s| (s.name.as_str(), s.size, s.problem.is_empty())).collect();
    let expected =
        [("gone", 0, false), ("one", 100, true), ("silent", 0, false), ("two", 100, true), ("odd", 0, false)];
    assert_eq!(told, expected, "{states:?}");
    assert!(states[0].problem.contains("cannot be reached"), "{states:?}");
    assert!(states[4].problem.contains("cannot be used"), "{states:?}");
}

#[tokio::test]
async fn a_witness_tells_a_client_that_knows_nothing_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (one, _one) = witness(folder.path(), "one").await;
    let log = Log::honest();
    for size in [10, 10, 20, 100] {
        let cosigners = Cosigners::open(std::slice::from_ref(&one), 1).unwrap();
        let cosigned = cosigners.cosign(&log.signed(size), &log).await;
        assert!(cosigned.quorum, "{size}: {cosigned:?}");
    }
}

#[tokio::test]
async fn a_witness_that_saw_another_tree_is_a_split() {
    let folder = tempfile::tempdir().unwrap();
    let (one, _one) = witness(folder.path(), "one").await;
    let (honest, forked) = (Log::honest(), Log::forked(5));
    let ask = async |log: &Log, size| {
        let cosigners = Cosigners::open(std::slice::from_ref(&one), 1).unwrap();
        cosigners.cosign(&log.signed(size), log).await
    };
    assert!(ask(&honest, 50).await.quorum);
    for (what, log, size, words) in [
        ("rolled back", &honest, 30, "has cosigned this log at size 50, and ours is 30"),
        ("split view", &forked, 50, "has cosigned another tree of size 50"),
        ("rewritten", &forked, 60, "does not extend the tree of size 50"),
    ] {
        let cosigned = ask(log, size).await;
        let split = cosigned.split.clone().unwrap();
        assert!(!cosigned.quorum && cosigned.lines.is_empty(), "{what}: {cosigned:?}");
        assert!(split.text.contains(words) && split.seen_by == "witness:one", "{what}: {split:?}");
        assert_eq!(split.theirs.unwrap().size, 50);
    }
    assert!(ask(&honest, 60).await.quorum, "the honest log goes on");
}

#[tokio::test]
async fn a_dead_witness_is_asked_seldom_and_comes_back_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, _one) = witness(folder.path(), "one").await;
    let url = std::mem::replace(
        &mut one.url,
        format!("http://{}", server(Some("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n")).await),
    );
    let mut cosigners = Cosigners::open(std::slice::from_ref(&one), 1).unwrap();
    let log = Log::honest();
    assert!(!cosigners.cosign(&log.signed(9), &log).await.quorum);
    assert!(cosigners.states(ORIGIN)[0].problem.contains("503"));
    assert!(cosigners.memory.rests(ORIGIN, "one"));
    let began = Instant::now();
    assert_eq!(cosigners.cosign(&log.signed(9), &log).await.missing, ["one"]);
    assert!(began.elapsed() < FIRST_TRY, "it was asked although it rests");
    cosigners.cosigners = vec![cosigner(&AuditWitness { url, ..one }).unwrap()];
    let deadline = Instant::now() + Duration::from_secs(20);
    while !cosigners.cosign(&log.signed(9), &log).await.quorum {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const FIRST_TRY: Duration = Duration::from_millis(200);
