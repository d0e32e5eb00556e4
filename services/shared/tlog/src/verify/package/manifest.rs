//! `manifest.json`: every file of a package with its size and digest.

use std::{
    collections::BTreeSet,
    io::{self, BufRead},
};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{super::Files, Finding, Progress, Report, Stage};
use crate::hash::Hash;

pub(super) const MANIFEST: &str = "manifest.json";
/// The signature of the manifest cannot be in it.
const OUTSIDE: [&str; 2] = [MANIFEST, "manifest.dsse.json"];

#[derive(Deserialize)]
struct Manifest {
    files: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    path: String,
    size: u64,
    sha256: String,
}

/// Without a manifest there is nothing to check: a log folder has none.
pub(super) fn check(files: &dyn Files, report: &mut Report, progress: &mut dyn FnMut(Progress)) -> io::Result<()> {
    let Some(bytes) = files.read(MANIFEST)? else { return Ok(()) };
    let manifest: Manifest = match serde_json::from_slice(&bytes) {
        Ok(manifest) => manifest,
        Err(error) => {
            report.findings.push(Finding::File { path: MANIFEST.to_owned(), problem: error.to_string() });
            return Ok(());
        }
    };
    let mut others: BTreeSet<String> = files.paths()?.into_iter().filter(|p| !OUTSIDE.contains(&p.as_str())).collect();
    let total = manifest.files.len() as u64;
    for (done, entry) in (1..).zip(manifest.files) {
        others.remove(&entry.path);
        match problem(files, &entry)? {
            None => report.files += 1,
            Some(problem) => report.findings.push(Finding::File { path: entry.path, problem }),
        }
        progress(Progress { stage: Stage::Files, done, total });
    }
    for path in others {
        report.findings.push(Finding::File { path, problem: "the manifest does not know it".to_owned() });
    }
    Ok(())
}

fn problem(files: &dyn Files, entry: &Entry) -> io::Result<Option<String>> {
    let Some(mut file) = files.open(&entry.path)? else {
        return Ok(Some("the manifest names it, and there is none".to_owned()));
    };
    let (mut digest, mut size) = (Sha256::new(), 0_u64);
    loop {
        let piece = file.fill_buf()?;
        if piece.is_empty() {
            break;
        }
        digest.update(piece);
        let read = piece.len();
        size += read as u64;
        file.consume(read);
    }
    let found = Hash(digest.finalize().into()).to_hex();
    Ok(if size != entry.size {
        Some(format!("it has {size} bytes, and the manifest says {}", entry.size))
    } else if found != entry.sha256 {
        Some(format!("its SHA-256 is {found}, and the manifest says {}", entry.sha256))
    } else {
        None
    })
}
