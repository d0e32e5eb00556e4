//! The witness as logs meet it: over HTTP, with a real key and a real file.

#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{net::SocketAddr, path::Path, time::Duration};

use muster_runtime::{Config, config};
use muster_tlog::{
    Algorithm, Checkpoint, Frontier, Hash, SoftwareKey, VerifierKey, key::SigningKey, leaf_hash, merkle,
    merkle::HashReader, note::parse_signature, tree::Subtree,
};
use reqwest::{Response, StatusCode};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

const ORIGIN: &str = "audit.example/01TENANT/record/1";

/// A log with all its leaves in memory.
#[derive(Clone)]
struct Log {
    origin: String,
    seed: [u8; 32],
    leaves: Vec<Hash>,
}

impl HashReader for Log {
    type Error = merkle::ProofError;

    fn hash(&self, of: Subtree) -> Result<Hash, Self::Error> {
        let first = usize::try_from(of.first_leaf()).unwrap();
        let mut tree = Frontier::new();
        tree.extend(self.leaves[first..first + usize::try_from(of.leaves()).unwrap()].iter().copied());
        Ok(tree.root())
    }
}

impl Log {
    fn new(origin: &str, flavour: &str) -> Self {
        let leaves = (0..200).map(|i| leaf_hash(format!("{flavour} {i}").as_bytes())).collect();
        Self { origin: origin.to_owned(), seed: [7; 32], leaves }
    }

    /// The same first leaves, and others after them.
    fn forked(&self, at: usize) -> Self {
        let other = Self::new(&self.origin, "other");
        Self { leaves: [&self.leaves[..at], &other.leaves[at..]].concat(), ..self.clone() }
    }

    fn key(&self) -> SoftwareKey {
        SoftwareKey::from_seed(&self.origin, Algorithm::Ed25519, &self.seed).unwrap()
    }

    fn note(&self, size: u64) -> String {
        let root = merkle::root(size, self).unwrap();
        Checkpoint::new(&self.origin, size, root).sign(&[&self.key()]).unwrap().to_string()
    }

    fn body(&self, old: u64, new: u64) -> String {
        let proof = merkle::prove_consistency(old, new, self).unwrap_or_default();
        let lines: String = proof.iter().map(|hash| hash.to_base64() + "\n").collect();
        format!("old {old}\n{lines}\n{}", self.note(new))
    }
}

struct Witness {
    address: SocketAddr,
    key: VerifierKey,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Witness {
    async fn start(folder: &Path, logs: &[&Log]) -> Self {
        Self::start_with(folder, logs, true).await
    }

    async fn start_with(folder: &Path, logs: &[&Log], accept_next_epochs: bool) -> Self {
        let config = configuration(folder, logs, accept_next_epochs);
        let key = muster_witness::prepare(&config).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let token = stop.clone();
        let serving = tokio::spawn(async move { muster_witness::run(&config, listener, token).await.unwrap() });
        Self { address, key, stop, serving }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.serving.await.unwrap();
    }

    async fn add(&self, body: String) -> Response {
        let url = format!("http://{}/add-checkpoint", self.address);
        let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        client.post(url).body(body).send().await.unwrap()
    }

    /// The status, and the size that a 409 tells.
    async fn status(&self, body: String) -> (u16, Option<u64>) {
        let answer = self.add(body).await;
        let status = answer.status();
        let is_size = answer.headers().get("content-type").is_some_and(|kind| kind == "text/x.tlog.size");
        assert_eq!(status == StatusCode::CONFLICT, is_size);
        let text = answer.text().await.unwrap();
        (status.as_u16(), is_size.then(|| text.strip_suffix('\n').unwrap().parse().unwrap()))
    }
}

fn configuration(folder: &Path, logs: &[&Log], accept_next_epochs: bool) -> Config {
    let witness = config::Witness {
        name: "witness.example/one".to_owned(),
        state: folder.join("witness.state"),
        key: folder.join("witness.key"),
        logs: logs.iter().map(|log| log.key().verifier().to_string()).collect(),
        accept_next_epochs,
        ..config::Witness::default()
    };
    Config { witness, ..Config::default() }
}

#[tokio::test]
async fn what_extends_is_cosigned_and_everything_else_has_its_status() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::new(ORIGIN, "leaf");
    let witness = Witness::start(folder.path(), &[&log]).await;

    let answer = witness.add(log.body(0, 17)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let line = answer.text().await.unwrap();
    let mut note = muster_tlog::Note::parse(log.note(17).as_bytes()).unwrap();
    note.add(parse_signature(line.strip_suffix('\n').unwrap()).unwrap());
    let known = [log.key().verifier().clone(), witness.key.clone()];
    let verified = note.verify(&known).unwrap();
    let at = verified.iter().find_map(|one| one.cosigned_at).unwrap();
    assert!(verified.len() == 2 && at > 1_700_000_000, "{verified:?}");

    let forked = log.forked(10);
    let mut stranger = log.clone();
    stranger.seed = [8; 32];
    let unknown = Log::new("audit.example/02OTHER/record/1", "leaf");
    let shorter = log.body(17, 22).replacen('\n', "\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", 1);
    for (what, body, expected) in [
        ("no old size known", log.body(0, 22), (409, Some(17))),
        ("a smaller tree", log.body(0, 9), (409, Some(17))),
        ("a smaller tree, asked openly", log.body(9, 16), (409, Some(17))),
        ("another history of the same size", forked.body(17, 17), (409, Some(17))),
        ("another history", forked.body(17, 22), (422, None)),
        ("a proof with a hash too many", shorter, (422, None)),
        ("another key", stranger.body(17, 22), (403, None)),
        ("another log", unknown.body(0, 22), (404, None)),
        ("a shrinking request", format!("old 23\n\n{}", log.note(22)), (400, None)),
        ("no request", "hello".to_owned(), (400, None)),
        ("a body without end", "x".repeat(100_000), (413, None)),
        ("the same again", log.body(17, 17), (200, None)),
        ("growth", log.body(17, 22), (200, None)),
        ("growth from a size before", log.body(17, 30), (409, Some(22))),
    ] {
        assert_eq!(witness.status(body).await, expected, "{what}");
    }
    let about = reqwest::get(format!("http://{}/", witness.address)).await.unwrap().text().await.unwrap();
    assert!(about.contains(&witness.key.to_string()), "{about}");
    witness.stop().await;

    // It remembers what it cosigned.
    let witness = Witness::start(folder.path(), &[&log]).await;
    assert_eq!(witness.status(forked.body(17, 30)).await, (409, Some(22)));
    assert_eq!(witness.status(log.body(22, 30)).await, (200, None));
}

#[tokio::test]
async fn of_many_at_once_one_history_is_cosigned() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::new(ORIGIN, "leaf");
    let witness = Witness::start(folder.path(), &[&log]).await;
    assert_eq!(witness.status(log.body(0, 10)).await, (200, None));
    let others: Vec<Log> =
        (0..8).map(|i| Log { leaves: Log::new(ORIGIN, &format!("fork {i}")).leaves, ..log.clone() }).collect();
    let forks =
        others.iter().map(|other| Log { leaves: [&log.leaves[..10], &other.leaves[10..]].concat(), ..log.clone() });
    let bodies: Vec<String> = forks.map(|fork| fork.body(10, 20)).collect();
    let asked: Vec<_> = bodies.into_iter().map(|body| witness.status(body)).collect();
    let mut cosigned = 0;
    for answer in futures::future::join_all(asked).await {
        match answer {
            (200, None) => cosigned += 1,
            (409, Some(20)) => {}
            other => unreachable!("{other:?}"),
        }
    }
    assert_eq!(cosigned, 1);
}

#[tokio::test]
async fn a_new_epoch_ends_the_ones_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Log::new(ORIGIN, "leaf"), Log::new("audit.example/01TENANT/record/2", "leaf"));
    let mut stolen = Log::new("audit.example/01TENANT/record/3", "leaf");
    stolen.seed = [9; 32];
    let strict = tempfile::tempdir().unwrap();
    let careful = Witness::start_with(strict.path(), &[&first], false).await;
    assert_eq!(careful.status(second.body(0, 5)).await, (404, None), "listed by a person only");

    let witness = Witness::start(folder.path(), &[&first]).await;
    assert_eq!(witness.status(first.body(0, 10)).await, (200, None));
    assert_eq!(witness.status(stolen.body(0, 5)).await, (403, None), "another key is not the log's");
    assert_eq!(witness.status(second.body(0, 5)).await, (200, None));
    assert_eq!(witness.status(first.body(10, 12)).await, (404, None), "the epoch is over");
}

#[tokio::test]
async fn a_witness_that_forgot_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::new(ORIGIN, "leaf");
    let witness = Witness::start(folder.path(), &[&log]).await;
    assert_eq!(witness.status(log.body(0, 10)).await, (200, None));
    witness.stop().await;
    let config = configuration(folder.path(), &[&log], true);
    std::fs::rename(&config.witness.state, folder.path().join("away")).unwrap();
    let error = muster_witness::prepare(&config).unwrap_err().to_string();
    assert!(error.contains("would cosign another history"), "{error}");
    std::fs::rename(folder.path().join("away"), &config.witness.state).unwrap();
    std::fs::remove_file(&config.witness.key).unwrap();
    let error = muster_witness::prepare(&config).unwrap_err().to_string();
    assert!(error.contains("knows 1 logs"), "{error}");
}
