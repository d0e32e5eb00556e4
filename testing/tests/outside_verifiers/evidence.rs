//! A package out of the test vectors, whole or broken, with the keys that an auditor would have been handed.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test panics to fail")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use muster_tlog::{
    Algorithm, Hash, Policy, SigningKey, SoftwareKey,
    bundle::{decode_bundle, encode_bundle},
};
use serde_json::json;
use tempfile::TempDir;

pub(crate) struct Evidence {
    directory: TempDir,
}

impl Evidence {
    pub(crate) fn new() -> Self {
        let evidence = Self { directory: tempfile::Builder::new().prefix("evidence").tempdir().unwrap() };
        copy(&vectors(), &evidence.package());
        fs::remove_dir_all(evidence.package().join("bad")).unwrap();
        fs::create_dir(evidence.keys()).unwrap();
        let policy: Policy = fs::read_to_string(vectors().join("policy")).unwrap().parse().unwrap();
        fs::write(evidence.keys().join("log.vkey"), format!("{}\n", policy.logs[0].key)).unwrap();
        fs::write(evidence.keys().join("witness.vkey"), format!("{}\n", policy.witnesses[0].key)).unwrap();
        evidence.sign_manifest();
        evidence
    }

    pub(crate) fn package(&self) -> PathBuf {
        self.directory.path().join("package")
    }

    /// What reached the auditor on another way.
    pub(crate) fn keys(&self) -> PathBuf {
        self.directory.path().join("keys")
    }

    pub(crate) fn scratch(&self) -> &Path {
        self.directory.path()
    }

    /// Puts one of the vectors' broken files in a file's place.
    pub(crate) fn put_bad(&self, bad: &str, at: &str) {
        fs::copy(vectors().join("bad").join(bad), self.package().join(at)).unwrap();
    }

    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let file = self.package().join(path);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{path} has no {from}");
        fs::write(file, text.replacen(from, to, 1)).unwrap();
    }

    /// Changes the leaves, in the entry bundle and as text; the hash tile stays.
    pub(crate) fn change_leaves(&self, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
        let file = self.package().join("tile/entries/000.p/22");
        let bundle = fs::read(&file).unwrap();
        let mut leaves: Vec<Vec<u8>> = decode_bundle(&bundle, 22).unwrap().into_iter().map(<[u8]>::to_vec).collect();
        change(&mut leaves);
        fs::write(file, encode_bundle(&leaves).unwrap()).unwrap();
        fs::write(self.package().join("leaves.txt"), leaves.join(&b'\n')).unwrap();
    }

    /// The manifest over all files, and its envelope, as the product writes them.
    fn sign_manifest(&self) {
        let package = self.package();
        let mut entries: Vec<_> = paths(&package, &package)
            .into_iter()
            .map(|path| {
                let content = fs::read(package.join(&path)).unwrap();
                json!({ "path": path, "size": content.len(), "sha256": Hash::of(&content).to_hex() })
            })
            .collect();
        entries.sort_by_key(|entry| entry["path"].to_string());
        let manifest = json!({ "format": "muster-evidence/v1", "files": entries }).to_string();
        fs::write(package.join("manifest.json"), &manifest).unwrap();

        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{ "name": "manifest.json", "digest": { "sha256": Hash::of(manifest.as_bytes()).to_hex() } }],
            "predicateType": "urn:muster:oscal/predicates/file/v1",
            "predicate": { "digestAlgorithm": "sha256", "digestSource": "file", "tool": "muster" },
        })
        .to_string();
        let signed = format!("DSSEv1 28 application/vnd.in-toto+json {} {statement}", statement.len());
        let seed = Hash::of(b"muster test vector package key 1").0;
        let key = SoftwareKey::from_seed("documents", Algorithm::Ed25519, &seed).unwrap();
        let envelope = json!({
            "payload": BASE64_STANDARD.encode(&statement),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{ "keyid": "any", "sig": BASE64_STANDARD.encode(key.sign(signed.as_bytes()).unwrap()) }],
        });
        fs::write(package.join("manifest.dsse.json"), serde_json::to_vec_pretty(&envelope).unwrap()).unwrap();
    }
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn vectors() -> PathBuf {
    repository().join("testing/vectors/tlog")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for path in paths(from, from) {
        let target = to.join(&path);
        fs::create_dir_all(target.parent().expect("below the package")).unwrap();
        fs::copy(from.join(&path), target).unwrap();
    }
}

fn paths(root: &Path, folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                paths(root, &path)
            } else {
                vec![path.strip_prefix(root).unwrap().display().to_string()]
            }
        })
        .collect()
}
