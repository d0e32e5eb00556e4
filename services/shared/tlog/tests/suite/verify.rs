//! The verifier on the vectors' package: whole, and broken in every way that somebody with write access could try.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test panics to fail")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use muster_tlog::{
    Algorithm, Checkpoint, Hash, Leaf, Note, Policy, SigningKey, SoftwareKey, VerifierKey,
    bundle::encode_bundle,
    cosignature::cosign,
    leaf::{Event, Gap, Genesis},
    leaf_hash,
    tile_set::TileWriter,
    verify::{
        Asked, Files, Finding, KnownCheckpoint, LeafWalk, MemoryFiles, Report, Severity, Tolerance, Trust, package,
    },
};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../testing/vectors/tlog")
}

fn load(files: &mut MemoryFiles, root: &Path, folder: &Path) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            load(files, root, &entry.path());
        } else {
            let name = entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.0.insert(name, fs::read(entry.path()).unwrap());
        }
    }
}

/// The vectors without their broken files.
fn package_files() -> MemoryFiles {
    let mut files = MemoryFiles::default();
    load(&mut files, &folder(), &folder());
    files.0.retain(|name, _| !name.starts_with("bad/"));
    files
}

fn bad(name: &str) -> Vec<u8> {
    fs::read(folder().join("bad").join(name)).expect(name)
}

fn log_key() -> VerifierKey {
    policy().logs[0].key.clone()
}

fn policy() -> Policy {
    fs::read_to_string(folder().join("policy")).unwrap().parse().unwrap()
}

fn verify(files: &MemoryFiles) -> Report {
    let asked = Asked { all_events: true, ..Asked::default() };
    package::verify(files, &Trust::in_keys([log_key()]), &asked, &mut |_| {}).unwrap()
}

pub(crate) fn words(report: &Report) -> Vec<String> {
    report.findings.iter().map(ToString::to_string).collect()
}

pub(crate) fn assert_says(report: &Report, text: &str) {
    let words = words(report);
    assert!(words.iter().any(|line| line.contains(text)), "nothing says '{text}': {words:#?}");
    assert!(report.findings.is_broken());
}

fn replaced(files: &mut MemoryFiles, path: &str, from: &str, to: &str) {
    let bytes = files.0.get_mut(path).expect(path);
    let (from, to) = (from.as_bytes(), to.as_bytes());
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    bytes.splice(at..at + from.len(), to.iter().copied());
}

#[test]
fn the_whole_package_is_good_and_everything_was_looked_at() {
    let report = verify(&package_files());
    assert_eq!(words(&report), Vec::<String>::new());
    assert!(report.judgement.unwrap().quorum);
    assert_eq!((report.leaves, report.events, report.gaps, report.events_compared), (22, 21, 0, 21));
    assert_eq!((report.proofs, report.tiles, report.older_checkpoints), (21, 1, 1));
}

#[test]
fn leaves_as_text_serve_when_there_are_no_tiles() {
    let mut files = package_files();
    files.0.retain(|path, _| !path.starts_with("tile/"));
    let report = verify(&files);
    assert_eq!((words(&report).len(), report.leaves, report.tiles), (0, 22, 0));
    files.0.remove("leaves.txt");
    assert_says(&verify(&files), "there is none, nor a leaves.txt");
}

#[test]
fn leaves_as_text_must_be_those_of_the_bundles() {
    let mut files = package_files();
    let leaves = String::from_utf8(files.0["leaves.txt"].clone()).unwrap();
    let without: Vec<&str> = leaves.split("\n\n").filter(|leaf| !leaf.contains("\nseq 9\n")).collect();
    files.0.insert("leaves.txt".to_owned(), without.join("\n\n").into_bytes());
    assert_says(&verify(&files), "leaves.txt: it does not have the leaf that the log has at index 9");
    files.0.insert("leaves.txt".to_owned(), format!("{leaves}\nmore\n").into_bytes());
    assert_says(&verify(&files), "leaves.txt: it has more leaves than the log");
}

#[test]
fn progress_reaches_the_end() {
    let (mut last, files) = (None, package_files());
    package::verify(&files, &Trust::in_keys([log_key()]), &Asked::default(), &mut |step| last = Some(step)).unwrap();
    assert_eq!(last.map(|step| (step.done, step.total)), Some((22, 22)));
}

// The six broken logs of the vectors.

#[test]
fn edited_event_is_named() {
    let mut files = package_files();
    let leaves = fs::read_to_string(folder().join("leaves.txt")).unwrap();
    let mut leaves: Vec<Vec<u8>> =
        leaves.split("\n\n").map(|leaf| format!("{}\n", leaf.trim_end()).into_bytes()).collect();
    leaves[16] = bad("edited-event.leaf");
    files.0.insert("tile/entries/000.p/22".to_owned(), encode_bundle(&leaves).unwrap());
    let report = verify(&files);
    let subject = "muster.01KA8Z6J0M3Q5V7X9B1D3F5H7K.request.01KAD5R1M22N0V2026PGFA1M0V.objective.measured";
    assert_says(&report, &format!("event 16 ({subject}) was edited: its leaf at index 16 was logged as"));
    assert_says(&report, "the 22 leaves lead to the root");
    assert_says(&report, "history was rewritten: checkpoint.17");
    let edited: Vec<u64> = report
        .findings
        .iter()
        .filter_map(|finding| match finding {
            Finding::LeafEdited { index, .. } => Some(*index),
            _ => None,
        })
        .collect();
    assert_eq!(edited, [16]);
}

#[test]
fn deleted_event_breaks_the_tile() {
    let mut files = package_files();
    files.0.insert("tile/0/000.p/22".to_owned(), bad("deleted-event.tile"));
    assert_says(&verify(&files), "the tile tile/0/000.p/22 has 672 bytes, and 704 are expected");
}

#[test]
fn reordered_events_break_the_tile() {
    let mut files = package_files();
    files.0.insert("tile/0/000.p/22".to_owned(), bad("reordered.tile"));
    let report = verify(&files);
    assert_says(&report, "for event 9 (");
    assert_says(&report, "for event 10 (");
    assert_eq!(report.findings.iter().filter(|finding| finding.code() == "tile").count(), 2);
}

#[test]
fn forged_checkpoint_is_not_signed() {
    let mut files = package_files();
    files.0.insert("checkpoint".to_owned(), bad("forged.checkpoint"));
    let report = verify(&files);
    assert!(report.judgement.is_none());
    assert_says(&report, "checkpoint cannot be believed: the signature of audit.muster.example/");
    assert_says(&report, "is not over this text");
}

#[test]
fn split_view_is_not_witnessed_and_shows_against_a_kept_checkpoint() {
    let mut files = package_files();
    let honest = files.0.insert("checkpoint".to_owned(), bad("split-view.checkpoint")).unwrap();
    assert_says(&verify(&files), "the checkpoint of size 22 has too few witnesses (missing: customer)");
    let asked = Asked { kept_checkpoints: vec![("kept.txt".to_owned(), honest)], ..Asked::default() };
    let report = package::verify(&files, &Trust::in_keys([log_key()]), &asked, &mut |_| {}).unwrap();
    assert_says(&report, "there are two logs: for size 22 the checkpoint says 405ed5968b58");
    assert_says(&report, "and kept.txt says cf71f5afa64a");
}

#[test]
fn truncated_log_is_smaller_than_a_kept_checkpoint() {
    let mut files = package_files();
    files.0.insert("checkpoint".to_owned(), bad("truncated.checkpoint"));
    let report = verify(&files);
    assert_says(&report, "the log was cut off: it has 15 leaves, and checkpoint.17 shows that it had 17");
}

// What else can be done to a package.

#[test]
fn an_edited_payload_names_its_event() {
    let mut files = package_files();
    // `"measured_seconds":582` becomes another number, in base64.
    let events = String::from_utf8(files.0["events.jsonl"].clone()).unwrap();
    let line = events.lines().nth(14).unwrap();
    let payload = line.split("\"payload_b64\": \"").nth(1).unwrap().split('"').next().unwrap();
    let edited = format!("A{}", &payload[1..]);
    assert_ne!(edited, payload);
    replaced(&mut files, "events.jsonl", payload, &edited);
    let report = verify(&files);
    assert_eq!(words(&report).len(), 1);
    assert_says(&report, "event 15 (");
    assert_says(&report, ") was edited: its payload was 149 bytes, 5ec5bf387df2");
    assert_eq!(report.findings.iter().next().unwrap().sequence(), Some(15));
}

#[test]
fn edited_headers_times_and_subjects_are_named() {
    for (from, to, says) in [
        ("user:approver-it", "user:approver-xx", "the digest of its headers was"),
        (
            "1791190800000001000",
            "1791190800000001001",
            "its time (ns) was 1791190800000001000 and is 1791190800000001001",
        ),
        ("K.request.", "K.Request.", "its subject was"),
    ] {
        let mut files = package_files();
        replaced(&mut files, "events.jsonl", from, to);
        let report = verify(&files);
        assert_says(&report, says);
        assert_eq!(words(&report).len(), 1, "{from}");
    }
}

#[test]
fn the_transports_headers_may_differ() {
    let mut files = package_files();
    replaced(&mut files, "events.jsonl", "\"Nats-Expected-Last-Sequence\", \"0\"", "\"Nats-Sequence\", \"1\"");
    assert_eq!(words(&verify(&files)), Vec::<String>::new());
}

#[test]
fn left_out_and_added_events_are_named() {
    let mut files = package_files();
    let events = String::from_utf8(files.0["events.jsonl"].clone()).unwrap();
    let without: String =
        events.lines().filter(|line| !line.contains("\"seq\": 7,")).map(|line| format!("{line}\n")).collect();
    files.0.insert("events.jsonl".to_owned(), without.clone().into_bytes());
    let report = verify(&files);
    assert_says(&report, "event 7 (");
    assert_says(&report, "was logged and is no longer there");
    // Fine in an export of a part.
    let part = package::verify(&files, &Trust::in_keys([log_key()]), &Asked::default(), &mut |_| {}).unwrap();
    assert_eq!((words(&part).len(), part.events_compared), (0, 20));

    let last = events.lines().last().unwrap();
    let added = format!("{events}{}\n", last.replace("\"seq\": 21", "\"seq\": 22"));
    files.0.insert("events.jsonl".to_owned(), added.into_bytes());
    assert_says(&verify(&files), "event 22 (");
    files.0.insert("events.jsonl".to_owned(), format!("{events}{{}}\n").into_bytes());
    assert_says(&verify(&files), "events.jsonl: line 22 is not an event");
    // The same event twice.
    files.0.insert("events.jsonl".to_owned(), format!("{events}{last}\n").into_bytes());
    assert_says(&verify(&files), "is not in the log");
}

#[test]
fn a_left_out_leaf_is_named_by_its_place() {
    let mut files = package_files();
    files.0.retain(|path, _| !path.starts_with("tile/"));
    let leaves = String::from_utf8(files.0["leaves.txt"].clone()).unwrap();
    let without: Vec<&str> = leaves.split("\n\n").filter(|leaf| !leaf.contains("\nseq 9\n")).collect();
    files.0.insert("leaves.txt".to_owned(), without.join("\n\n").into_bytes());
    let report = verify(&files);
    assert_says(&report, "index 9 must hold event 9 and holds event 10 (");
    assert_says(&report, "the checkpoint counts 22 leaves, and there are 21");
    assert_eq!(report.findings.iter().filter(|finding| finding.code() == "other-sequence").count(), 1);

    let mut swapped: Vec<&str> = leaves.split("\n\n").collect();
    swapped.swap(9, 10);
    files.0.insert("leaves.txt".to_owned(), swapped.join("\n\n").into_bytes());
    let report = verify(&files);
    assert_says(&report, "index 9 must hold event 9 and holds event 10 (");
    assert_says(&report, "index 10 must hold event 10 and holds event 9 (");
    assert_eq!(report.findings.iter().filter(|finding| finding.code() == "other-sequence").count(), 2);
    assert_says(&report, "the 22 leaves lead to the root");
}

#[test]
fn proofs_that_prove_another_event_or_nothing_are_named() {
    let mut files = package_files();
    let other = files.0["proofs/seq-000003.tlog-proof"].clone();
    files.0.insert("proofs/seq-000004.tlog-proof".to_owned(), other);
    replaced(&mut files, "proofs/seq-000005.tlog-proof", "index 5\n", "index 6\n");
    files.0.insert("proofs/seq-000006.tlog-proof".to_owned(), b"nothing".to_vec());
    let report = verify(&files);
    assert_says(&report, "proofs/seq-000004.tlog-proof proves nothing: it is a proof of event 3 (");
    assert_says(&report, "proofs/seq-000005.tlog-proof proves nothing: the leaf does not lead to the checkpoint");
    assert_says(&report, "proofs/seq-000006.tlog-proof proves nothing");
    assert_eq!(words(&report).len(), 3);
}

#[test]
fn a_key_that_the_auditor_does_not_have_is_not_trusted() {
    let files = package_files();
    let other = SoftwareKey::from_seed(log_key().name(), Algorithm::Ed25519, &[1; 32]).unwrap();
    let trust = Trust::in_keys([other.verifier().clone()]);
    let report = package::verify(&files, &trust, &Asked::default(), &mut |_| {}).unwrap();
    assert!(report.judgement.is_none());
    assert_says(&report, "only witnesses signed the checkpoint, not the log");
    assert_says(&report, &format!("the policy also lists the log key {}", log_key()));
}

#[test]
fn a_policy_that_asks_for_nobody_is_said_and_a_witness_from_outside_is_asked_for() {
    let mut files = package_files();
    replaced(&mut files, "policy", "quorum customer", "quorum none");
    let report = verify(&files);
    assert_eq!(report.findings.iter().map(Finding::severity).collect::<Vec<_>>(), [Severity::Notice]);
    assert!(!report.findings.is_broken());
    // The auditor brings the witness' key: then the package's policy does not decide.
    let witness = policy().witnesses[0].key.clone();
    let trust = Trust::in_keys([log_key(), witness]);
    assert_eq!(words(&package::verify(&files, &trust, &Asked::default(), &mut |_| {}).unwrap()).len(), 0);
    files.0.insert("checkpoint".to_owned(), bad("split-view.checkpoint"));
    let report = package::verify(&files, &trust, &Asked::default(), &mut |_| {}).unwrap();
    assert_says(&report, "too few witnesses (missing: witness.customer.example/muster)");
}

// A log that was signed by its own key all along: what the signer himself can try.

pub(crate) const ORIGIN: &str = "log.example/t/record/1";
const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_790_000_000;

pub(crate) fn key() -> SoftwareKey {
    SoftwareKey::from_seed(ORIGIN, Algorithm::Ed25519, &[3; 32]).unwrap()
}

pub(crate) fn witness() -> SoftwareKey {
    SoftwareKey::from_seed("witness.example", Algorithm::CosignatureV1, &[4; 32]).unwrap()
}

fn genesis() -> Leaf {
    let (log, stream, key) = (ORIGIN.to_owned(), "record".to_owned(), key().verifier().to_string());
    Leaf::Genesis(Genesis { log, stream, first_seq: 1, previous: None, key })
}

fn event(seq: u64, at_s: u64) -> Leaf {
    let digest = Hash::of(&seq.to_be_bytes());
    Leaf::Event(Event {
        log: ORIGIN.to_owned(),
        stream: "record".to_owned(),
        seq,
        subject: format!("rec.t.request.r.{seq}"),
        time_ns: (START + at_s) * SECOND,
        headers_sha256: digest,
        payload_len: 8,
        payload_sha256: digest,
    })
}

/// A checkpoint of the first leaves, cosigned at a time.
fn signed(leaves: &[Leaf], at_s: u64) -> Vec<u8> {
    let mut writer = TileWriter::new();
    leaves.iter().for_each(|leaf| writer.push(leaf.hash().unwrap()));
    let mut note = Checkpoint::new(ORIGIN, writer.size(), writer.root()).sign(&[&key()]).unwrap();
    note.add(cosign(note.text(), START + at_s, &witness()).unwrap());
    note.to_string().into_bytes()
}

/// The package of a log with these leaves and these older checkpoints (size, time of the cosignature).
pub(crate) fn log_of(leaves: &[Leaf], older: &[(usize, u64)]) -> MemoryFiles {
    let mut files = MemoryFiles::default();
    let texts: Vec<String> = leaves.iter().map(|leaf| leaf.to_text().unwrap()).collect();
    let mut writer = TileWriter::new();
    texts.iter().for_each(|leaf| writer.push(leaf_hash(leaf.as_bytes())));
    for (index, chunk) in texts.chunks(256).enumerate() {
        let tile = muster_tlog::tile::bundle_of(index as u64 * 256, leaves.len() as u64);
        files.0.insert(tile.path(), encode_bundle(chunk).unwrap());
    }
    for (tile, bytes) in writer.take_full().into_iter().chain(writer.partial()) {
        files.0.insert(tile.path(), bytes);
    }
    for (size, at_s) in older {
        files.0.insert(format!("checkpoint.{size}"), signed(&leaves[..*size], *at_s));
    }
    files.0.insert("checkpoint".to_owned(), signed(leaves, 1_000_000));
    files.0.insert(
        "policy".to_owned(),
        format!("log {}\nwitness w {}\nquorum w\n", key().verifier(), witness().verifier()).into_bytes(),
    );
    files
}

fn verify_own(files: &dyn Files) -> Report {
    package::verify(files, &Trust::in_keys([key().verifier().clone()]), &Asked::default(), &mut |_| {}).unwrap()
}

pub(crate) fn leaves(times: impl IntoIterator<Item = u64>) -> Vec<Leaf> {
    let events = (1..).zip(times).map(|(seq, at_s)| event(seq, at_s));
    std::iter::once(genesis()).chain(events).collect()
}

#[test]
fn a_log_over_several_tiles_and_levels_is_good() {
    let all = leaves(0..3_000);
    let report = verify_own(&log_of(&all[..1_000], &[(300, 400), (512, 900)]));
    assert_eq!((words(&report).len(), report.leaves, report.older_checkpoints), (0, 1_000, 2));
    let report = verify_own(&log_of(&all, &[]));
    // 3,001 leaves: 12 tiles of their hashes, one above.
    assert_eq!((words(&report).len(), report.tiles), (0, 13));
}

#[test]
fn a_wrong_tile_above_right_leaves_is_named() {
    let mut files = log_of(&leaves(0..700), &[]);
    files.0.get_mut("tile/1/000.p/2").unwrap()[40] ^= 1;
    let report = verify_own(&files);
    assert_eq!(words(&report), ["tile/1/000.p/2: it does not hold what the leaves below it give"]);
    files.0.remove("tile/0/001");
    assert_says(&verify_own(&files), "tile/0/001: there is none");
}

#[test]
fn a_back_dated_event_is_named() {
    let tolerated = leaves([10, 20, 11, 30]);
    assert_eq!(words(&verify_own(&log_of(&tolerated, &[]))).len(), 0);
    let report = verify_own(&log_of(&leaves([10, 20, 9, 30]), &[]));
    assert_eq!(words(&report).len(), 1);
    assert_says(
        &report,
        "event 3 (rec.t.request.r.3) is back-dated: its time is 11.000 s before 2026-09-21T14:13:40.000Z",
    );
}

#[test]
fn an_event_logged_after_a_cosignature_cannot_be_older_than_it() {
    // Size 3 was cosigned when the clock said 5,000 s; event 3 claims 100 s and comes after.
    let log = leaves([10, 20, 100, 6_000]);
    let report = verify_own(&log_of(&log, &[(3, 5_000)]));
    assert_eq!(words(&report).len(), 1);
    assert_says(&report, "event 3 (rec.t.request.r.3) is back-dated");
    assert_says(&report, "but it is not among the first 3 leaves, which a witness saw at 2026-09-21T15:36:40.000Z");
    // Within the time that a witness may take.
    assert_eq!(words(&verify_own(&log_of(&log, &[(3, 900)]))).len(), 0);
}

#[test]
fn gaps_are_said_and_foreign_leaves_are_refused() {
    let gap = |seq| {
        Leaf::Gap(Gap {
            log: ORIGIN.to_owned(),
            stream: "record".to_owned(),
            seq,
            reason: "not in the stream".to_owned(),
        })
    };
    let mut log = leaves([1, 2, 3]);
    log[2] = gap(2);
    let report = verify_own(&log_of(&log, &[]));
    assert_eq!(words(&report), ["event 2 is missing, and the log says so: not in the stream"]);
    assert!(!report.findings.is_broken());
    assert_eq!((report.events, report.gaps), (2, 1));

    let mut foreign = leaves([1, 2, 3]);
    if let Leaf::Event(event) = &mut foreign[3] {
        event.log = "log.example/other/record/1".to_owned();
    }
    assert_says(
        &verify_own(&log_of(&foreign, &[])),
        "the leaf at index 3 does not belong here: it is of the log 'log.example/other",
    );
    let mut foreign = leaves([1, 2, 3]);
    foreign[1] = genesis();
    assert_says(&verify_own(&log_of(&foreign, &[])), "a log has one genesis leaf");
    assert_says(&verify_own(&log_of(&leaves([1, 2, 3])[1..], &[])), "a log begins with a genesis leaf");
}

#[test]
fn a_rewritten_history_shows_against_an_older_checkpoint() {
    let mut files = log_of(&leaves([1, 2, 3, 4]), &[]);
    let other = leaves([1, 2, 9, 4]);
    files.0.insert("checkpoint.4".to_owned(), signed(&other[..4], 10));
    assert_says(&verify_own(&files), "history was rewritten: checkpoint.4 says");
    // Not signed: no evidence of anything but itself.
    let unsigned = String::from_utf8(signed(&other[..4], 10)).unwrap().replace("\n4\n", "\n3\n");
    files.0.insert("checkpoint.4".to_owned(), unsigned.into_bytes());
    assert_says(&verify_own(&files), "checkpoint.4 cannot be believed");
}

#[test]
fn a_walk_can_be_done_piece_by_piece() {
    let log = leaves([1, 2, 3]);
    let known = KnownCheckpoint {
        path: "checkpoint".to_owned(),
        size: 4,
        root: Note::parse(&signed(&log, 9)).unwrap().text().parse::<Checkpoint>().unwrap().root,
        cosigned_at: None,
    };
    let mut walk = LeafWalk::new(ORIGIN, Tolerance::default(), vec![known.clone()]);
    let walked: Vec<_> = log.iter().map(|leaf| walk.leaf(leaf.to_text().unwrap().as_bytes())).collect();
    assert_eq!(walked[3].name(), "event 3 (rec.t.request.r.3)");
    let (findings, frontier) = walk.finish();
    assert_eq!((findings.iter().len(), frontier.root()), (0, known.root));
}

// Manifest and signed documents.

fn sha256(bytes: &[u8]) -> String {
    Hash::of(bytes).to_hex()
}

/// The vectors with the signed assessment results, and a manifest over everything.
fn signed_package() -> MemoryFiles {
    let mut files = package_files();
    let examples = folder().join("../../oscal/examples");
    for name in ["assessment-results.json", "assessment-results.dsse.json"] {
        files.0.insert(format!("oscal/{name}"), fs::read(examples.join(name)).unwrap());
    }
    with_manifest(files)
}

fn with_manifest(mut files: MemoryFiles) -> MemoryFiles {
    files.0.remove("manifest.json");
    let entry = |(path, bytes): (&String, &Vec<u8>)| serde_json::json!({ "path": path, "size": bytes.len(), "sha256": sha256(bytes) });
    let entries: Vec<_> = files.0.iter().map(entry).collect();
    let manifest = serde_json::json!({ "format": "any", "files": entries });
    files.0.insert("manifest.json".to_owned(), manifest.to_string().into_bytes());
    files
}

#[test]
fn a_package_is_what_its_manifest_and_signatures_say() {
    let report = verify(&signed_package());
    assert_eq!(words(&report), Vec::<String>::new());
    assert_eq!((report.documents, report.files), (1, signed_package().0.len() as u64 - 1));
    assert!(report.document_key.is_some());
}

#[test]
fn files_that_are_not_those_of_the_manifest_are_named() {
    let mut files = signed_package();
    files.0.get_mut("leaves.txt").unwrap()[3] ^= 1;
    files.0.insert("proofs/more.txt".to_owned(), Vec::new());
    files.0.remove("synthetic-roots.json");
    files.0.get_mut("README.md").unwrap().push(b'x');
    let report = verify(&files);
    assert_says(&report, "leaves.txt: its SHA-256 is ");
    assert_says(&report, "proofs/more.txt: the manifest does not know it");
    assert_says(&report, "synthetic-roots.json: the manifest names it, and there is none");
    assert_says(&report, "README.md: it has ");
}

#[test]
fn a_changed_document_is_named_and_white_space_is_no_change() {
    let mut files = signed_package();
    let document: serde_json::Value = serde_json::from_slice(&files.0["oscal/assessment-results.json"]).unwrap();
    files.0.insert("oscal/assessment-results.json".to_owned(), document.to_string().into_bytes());
    assert_eq!(verify(&with_manifest(files.clone())).documents, 1);
    replaced(&mut files, "oscal/assessment-results.json", "not-satisfied", "satisfied");
    let report = verify(&with_manifest(files.clone()));
    assert_says(
        &report,
        "oscal/assessment-results.dsse.json is not what was signed: assessment-results.json has the digest",
    );
    // Another key than the one that was handed over.
    let asked = Asked { document_key: Some([7; 32]), ..Asked::default() };
    let report = package::verify(&signed_package(), &Trust::in_keys([log_key()]), &asked, &mut |_| {}).unwrap();
    assert_says(&report, "the document key did not sign it");
    files.0.insert("package-key.pem".to_owned(), b"none".to_vec());
    assert_says(&verify(&with_manifest(files)), "package-key.pem: there are signed documents");
}

#[test]
fn an_export_that_says_that_an_event_is_missing_is_believed() {
    let mut files = package_files();
    let events = String::from_utf8(files.0["events.jsonl"].clone()).unwrap();
    let line = events.lines().nth(6).unwrap();
    let missing = r#"{"seq":7,"missing":"the stream has no such entry","leaf":"x"}"#;
    files.0.insert("events.jsonl".to_owned(), events.replace(line, missing).into_bytes());
    let report = package::verify(&files, &Trust::in_keys([log_key()]), &Asked::default(), &mut |_| {}).unwrap();
    assert_eq!(words(&report), ["event 7 (the stream has no such entry) was logged and is no longer there"]);
}
