//! A whole log folder or evidence package, in one pass and constant memory:
//!
//! 1. the checkpoint is signed by a key that the auditor has, and witnessed as the policy asks;
//! 2. older checkpoints are signed too, and each stands alone as evidence that the log passed through it;
//! 3. the leaves lead to the signed root, each in its place, and time does not run backwards;
//! 4. the tiles hold what the leaves give, which names the event when one leaf was changed;
//! 5. the stored events are those of their leaves;
//! 6. every proof leads to a signed checkpoint;
//! 7. the files are those of the manifest, and the signed documents are what was signed.

mod documents;
mod keys;
mod manifest;
mod source;
mod tiles;

use std::io;

pub use self::{
    documents::public_key,
    keys::{Followed, KEY_CHANGES, KeyChange, last_of},
};
use self::{
    keys::Changes,
    source::{LeafSource, lines},
    tiles::TileComparison,
};
use super::{
    Files, Finding, Findings, KnownCheckpoint, LeafWalk, StoredEvent, Tolerance, Trust, Walked, event::difference,
    trust::judge,
};
use crate::{
    checkpoint::Checkpoint,
    hash::Hash,
    key::PUBLIC_KEY_BYTES,
    leaf::Leaf,
    note::Note,
    policy::{Judgement, Policy},
    proof::TlogProof,
};

pub(crate) const CHECKPOINT: &str = "checkpoint";
const POLICY: &str = "policy";
const EVENTS: &str = "events.jsonl";
const LEAVES: &str = "leaves.txt";
const PROOFS: &str = "proofs/";

/// What the auditor brings beside his keys.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    pub tolerance: Tolerance,
    /// Checkpoints that he kept, each with the name that findings call it by.
    pub kept_checkpoints: Vec<(String, Vec<u8>)>,
    /// Every logged event must be in `events.jsonl`; otherwise a part of them may be.
    pub all_events: bool,
    /// The key that signs documents, as it was handed over; otherwise the package's own.
    pub document_key: Option<[u8; PUBLIC_KEY_BYTES]>,
    /// Which log key is said to follow which, oldest first. Not asked when a whole policy was handed over.
    pub key_changes: Vec<KeyChange>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Files against the manifest.
    Files,
    Proofs,
    Leaves,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub stage: Stage,
    pub done: u64,
    pub total: u64,
}

/// What was verified, and what is wrong.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The newest checkpoint, when its signature is good.
    pub judgement: Option<Judgement>,
    pub older_checkpoints: u64,
    pub leaves: u64,
    pub events: u64,
    pub gaps: u64,
    pub tiles: u64,
    /// Stored events that were compared with their leaves.
    pub events_compared: u64,
    pub proofs: u64,
    /// Files that have the size and digest of the manifest.
    pub files: u64,
    /// Documents whose signature is good.
    pub documents: u64,
    /// The SHA-256 of the public key that signs the documents, when there are any.
    pub document_key: Option<Hash>,
    /// Keys that follow trusted ones, when there are no findings of theirs.
    pub followed: Vec<Followed>,
    pub findings: Findings,
}

/// What a caller does with each leaf, in order, beside the verification: compare it with the stream, say.
pub type EachLeaf<'a> = dyn FnMut(&Walked, &[u8], &mut Findings) -> io::Result<()> + 'a;

/// Errors of reading the files themselves are returned; what is wrong with their content is in the report.
pub fn verify(
    files: &dyn Files,
    trust: &Trust,
    asked: &Asked,
    progress: &mut dyn FnMut(Progress),
) -> io::Result<Report> {
    verify_each(files, trust, asked, progress, &mut |_, _, _| Ok(()))
}

/// As [`verify`], and `each` sees every leaf.
pub fn verify_each(
    files: &dyn Files,
    trust: &Trust,
    asked: &Asked,
    progress: &mut dyn FnMut(Progress),
    each: &mut EachLeaf<'_>,
) -> io::Result<Report> {
    let mut report = Report::default();
    manifest::check(files, &mut report, progress)?;
    documents::check(files, asked, &mut report)?;
    let published = read_policy(files, &mut report.findings)?;
    let (mut policy, findings) = trust.policy(published.as_ref());
    let Some(bytes) = files.read(CHECKPOINT)? else {
        report.findings.append(findings);
        report.findings.push(Finding::File { path: CHECKPOINT.to_owned(), problem: "there is none".to_owned() });
        return Ok(report);
    };
    // Unsigned, it still says what the leaves should lead to: a finding says that it is not to be believed.
    let stated = Note::parse(&bytes).ok().and_then(|note| note.text().parse::<Checkpoint>().ok());
    let mut known = Vec::new();
    if let Some(stated) = stated.as_ref().filter(|_| !trust.is_whole()) {
        let newest = (&*bytes, stated);
        (report.followed, known) =
            keys::follow(files, &mut policy, published.as_ref(), &asked.key_changes, newest, &mut report.findings)?;
    }
    let is_followed = |key: &str| report.followed.iter().any(|followed| followed.change.to.to_string() == key);
    report.findings.append(findings.without_other_keys(is_followed));
    report.judgement = judge(&policy, CHECKPOINT, &bytes, &mut report.findings);
    let Some(newest) = report.judgement.as_ref().map(|judgement| judgement.checkpoint.clone()).or(stated) else {
        return Ok(report);
    };
    known.extend(older_checkpoints(files, &policy, asked, &newest, &mut report)?);
    proofs(files, &policy, &newest, &mut known, &mut report, progress)?;
    leaves(files, asked, &newest, known, &mut report, progress, each)?;
    Ok(report)
}

fn read_policy(files: &dyn Files, findings: &mut Findings) -> io::Result<Option<Policy>> {
    let Some(bytes) = files.read(POLICY)? else { return Ok(None) };
    match String::from_utf8_lossy(&bytes).parse() {
        Ok(policy) => Ok(Some(policy)),
        Err(error) => {
            findings.push(Finding::File { path: POLICY.to_owned(), problem: format!("{error}") });
            Ok(None)
        }
    }
}

/// `checkpoint.<size>` of the package, and those that the auditor kept.
fn older_checkpoints(
    files: &dyn Files,
    policy: &Policy,
    asked: &Asked,
    newest: &Checkpoint,
    report: &mut Report,
) -> io::Result<Vec<KnownCheckpoint>> {
    let mut all = asked.kept_checkpoints.clone();
    for path in files.paths()? {
        let size = path.strip_prefix(CHECKPOINT).and_then(|rest| rest.strip_prefix('.'));
        if size.is_some_and(|size| size.parse::<u64>().is_ok())
            && let Some(bytes) = files.read(&path)?
        {
            all.push((path, bytes));
        }
    }
    let mut known = Vec::new();
    for (path, bytes) in all {
        if let Some(judgement) = judge(policy, &path, &bytes, &mut report.findings) {
            report.older_checkpoints += 1;
            known.extend(comparable(path, &judgement, newest, &mut report.findings));
        }
    }
    Ok(known)
}

/// Another signed checkpoint beside the newest: none when it is the same, or already a finding.
fn comparable(
    path: String,
    other: &Judgement,
    newest: &Checkpoint,
    findings: &mut Findings,
) -> Option<KnownCheckpoint> {
    let Checkpoint { origin, size, root, .. } = &other.checkpoint;
    if *origin != newest.origin {
        let problem = format!("it is of the log '{origin}', not of '{}'", newest.origin);
        findings.push(Finding::File { path, problem });
        return None;
    }
    if *size == newest.size && *root != newest.root {
        findings.push(Finding::SplitView { path, size: *size, ours: newest.root, theirs: *root });
        return None;
    }
    if *size > newest.size {
        findings.push(Finding::Truncated { path, was: *size, is: newest.size });
        return None;
    }
    // With several witnesses the latest: each saw no more than this size before.
    let cosigned_at = other.cosigned_by.iter().map(|one| one.unix_seconds).max();
    (*size < newest.size).then_some(KnownCheckpoint { path, size: *size, root: *root, cosigned_at })
}

fn proofs(
    files: &dyn Files,
    policy: &Policy,
    newest: &Checkpoint,
    known: &mut Vec<KnownCheckpoint>,
    report: &mut Report,
    progress: &mut dyn FnMut(Progress),
) -> io::Result<()> {
    let paths: Vec<String> = files.paths()?.into_iter().filter(|path| path.starts_with(PROOFS)).collect();
    let total = paths.len() as u64;
    for path in paths {
        let Some(bytes) = files.read(&path)? else { continue };
        match proof(&path, &bytes, policy) {
            Ok(judgement) => {
                let other = comparable(path, &judgement, newest, &mut report.findings);
                known.extend(
                    other.filter(|other| known.iter().all(|one| (one.size, one.root) != (other.size, other.root))),
                );
            }
            Err(problem) => report.findings.push(Finding::Proof { path, problem }),
        }
        report.proofs += 1;
        progress(Progress { stage: Stage::Proofs, done: report.proofs, total });
    }
    Ok(())
}

fn proof(path: &str, bytes: &[u8], policy: &Policy) -> Result<Judgement, String> {
    let proof = TlogProof::parse(bytes).map_err(|error| error.to_string())?;
    let (leaf, _) = proof.verify().map_err(|error| error.to_string())?;
    let judgement = policy.judge(&proof.checkpoint).map_err(|error| error.to_string())?;
    if !judgement.quorum {
        return Err(format!("its checkpoint has too few witnesses (missing: {})", judgement.missing.join(", ")));
    }
    // `proofs/seq-000016.tlog-proof`: who cites the file means that event.
    let digits = path.strip_prefix(PROOFS).and_then(|name| name.strip_prefix("seq-")?.strip_suffix(".tlog-proof"));
    let named = digits.and_then(|digits| digits.parse::<u64>().ok());
    match named {
        Some(named) if leaf.sequence() != Some(named) => {
            Err(format!("it is a proof of {}", super::event::name_of(&leaf)))
        }
        _ => Ok(judgement),
    }
}

fn leaves(
    files: &dyn Files,
    asked: &Asked,
    newest: &Checkpoint,
    known: Vec<KnownCheckpoint>,
    report: &mut Report,
    progress: &mut dyn FnMut(Progress),
    each: &mut EachLeaf<'_>,
) -> io::Result<()> {
    let Some(mut source) = LeafSource::open(files, newest.size, &mut report.findings)? else { return Ok(()) };
    let mut walk = LeafWalk::new(&newest.origin, asked.tolerance, known);
    let mut tiles = TileComparison::new(files, newest.size)?;
    let mut events = Events::open(files, asked.all_events)?;
    let followed = std::mem::take(&mut report.followed);
    let mut changes = Changes::new(&followed);
    let mut text = source.beside_bundles(files)?;
    while let Some(leaf) = source.next(&mut report.findings)? {
        let walked = walk.leaf(&leaf);
        tiles.leaf(&walked, &mut report.findings)?;
        events.leaf(&newest.origin, &walked, report)?;
        changes.leaf(&newest.origin, &walked, &mut report.findings);
        each(&walked, &leaf, &mut report.findings)?;
        // Who verifies by hand reads the text.
        if let Some(beside) = &mut text
            && beside.next(&mut report.findings)?.as_ref() != Some(&leaf)
        {
            let problem = format!("it does not have the leaf that the log has at index {}", walked.index);
            report.findings.push(Finding::File { path: LEAVES.to_owned(), problem });
            text = None;
        }
        report.leaves += 1;
        // Drawing is dearer than hashing.
        if report.leaves.is_multiple_of(4096) || report.leaves == newest.size {
            progress(Progress { stage: Stage::Leaves, done: report.leaves, total: newest.size });
        }
    }
    if let Some(mut beside) = text
        && beside.next(&mut report.findings)?.is_some()
    {
        let problem = "it has more leaves than the log".to_owned();
        report.findings.push(Finding::File { path: LEAVES.to_owned(), problem });
    }
    events.rest(report)?;
    changes.finish(&mut report.findings);
    report.followed = followed;
    (report.events, report.gaps) = (walk.events(), walk.gaps());
    let (findings, frontier) = walk.finish();
    report.findings.append(findings);
    if frontier.size() != newest.size {
        report.findings.push(Finding::LeafCount { signed: newest.size, found: frontier.size() });
    }
    report.tiles = tiles.finish(newest, frontier.root(), &mut report.findings)?;
    if frontier.root() != newest.root {
        let (size, signed, found) = (frontier.size(), newest.root, frontier.root());
        report.findings.push(Finding::RootDiffers { size, signed, found });
    }
    Ok(())
}

/// A line of `events.jsonl`. Whoever exports says of an event that the stream lost that it is missing.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Line {
    Event(StoredEvent),
    Missing { seq: u64, missing: String },
}

/// The stored events, beside the walk over their leaves.
struct Events<'a> {
    lines: Option<source::Lines<'a>>,
    next: Option<StoredEvent>,
    line: u64,
    all: bool,
}

impl<'a> Events<'a> {
    fn open(files: &'a dyn Files, all: bool) -> io::Result<Self> {
        let lines = files.open(EVENTS)?.map(lines);
        Ok(Self { lines, next: None, line: 0, all })
    }

    fn fetch(&mut self, findings: &mut Findings) -> io::Result<()> {
        while self.next.is_none() {
            let Some(line) = self.lines.as_mut().map(source::Lines::next).transpose()?.flatten() else { return Ok(()) };
            self.line += 1;
            match serde_json::from_slice(&line) {
                Ok(Line::Event(event)) => self.next = Some(event),
                // Its leaf finds out that it is not there.
                Ok(Line::Missing { seq, missing }) => {
                    findings.push(Finding::EventMissing { sequence: seq, event: format!("event {seq} ({missing})") });
                }
                Err(error) => {
                    let problem = format!("line {} is not an event: {error}", self.line);
                    findings.push(Finding::File { path: EVENTS.to_owned(), problem });
                }
            }
        }
        Ok(())
    }

    fn leaf(&mut self, log: &str, walked: &Walked, report: &mut Report) -> io::Result<()> {
        if self.lines.is_none() {
            return Ok(());
        }
        let Some((leaf, sequence)) = walked.leaf.as_ref().and_then(|leaf| Some((leaf, leaf.sequence()?))) else {
            return Ok(());
        };
        loop {
            self.fetch(&mut report.findings)?;
            match self.next.take() {
                Some(event) if event.seq < sequence => report.findings.push(not_logged(&event)),
                Some(event) if event.seq == sequence => {
                    report.events_compared += 1;
                    compare(log, leaf, &event, &mut report.findings);
                    return Ok(());
                }
                other => {
                    self.next = other;
                    if self.all && matches!(leaf, Leaf::Event(_)) {
                        report.findings.push(Finding::EventMissing { sequence, event: walked.name() });
                    }
                    return Ok(());
                }
            }
        }
    }

    /// Events beyond the last leaf.
    fn rest(&mut self, report: &mut Report) -> io::Result<()> {
        loop {
            self.fetch(&mut report.findings)?;
            let Some(event) = self.next.take() else { return Ok(()) };
            report.findings.push(not_logged(&event));
        }
    }
}

fn not_logged(event: &StoredEvent) -> Finding {
    Finding::EventNotLogged { sequence: event.seq, event: format!("event {} ({})", event.seq, event.subject) }
}

fn compare(log: &str, logged: &Leaf, event: &StoredEvent, findings: &mut Findings) {
    let Leaf::Event(logged_event) = logged else {
        findings.push(not_logged(event));
        return;
    };
    let what = match event.leaf(log) {
        Some(Ok(now)) => difference(logged_event, &now),
        Some(Err(error)) => Some(error.to_string()),
        None => Some("its payload is not base64".to_owned()),
    };
    if let Some(what) = what {
        findings.push(Finding::EventEdited { sequence: event.seq, event: super::event::name_of(logged), what });
    }
}
