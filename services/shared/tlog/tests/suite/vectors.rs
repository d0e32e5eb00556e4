//! testing/vectors/tlog: made by a program that shares no code with this crate.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test panics to fail")]

use std::{fs, path::PathBuf};

use muster_tlog::{
    Algorithm, Checkpoint, Frontier, Hash, Leaf, Note, Policy, SigningKey, SoftwareKey, Tile, TlogProof, VerifierKey,
    bundle::{decode_bundle, encode_bundle},
    cosignature::cosign,
    leaf::{Event, canonical_headers},
    leaf_hash, merkle,
    proof::TlogProofError,
    tile::bundle_of,
    tile_set::{TileSet, decode_tile},
};
use serde_json::Value;

const SIZE: u64 = 22;

pub(crate) fn file(path: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../testing/vectors/tlog");
    fs::read(folder.join(path)).expect(path)
}

fn text(path: &str) -> String {
    String::from_utf8(file(path)).unwrap()
}

fn leaves() -> Vec<String> {
    // An empty line between two leaves.
    text("leaves.txt").split("\n\n").map(|leaf| format!("{}\n", leaf.trim_end_matches('\n'))).collect()
}

fn hashes() -> Vec<Hash> {
    leaves().iter().map(|leaf| leaf_hash(leaf.as_bytes())).collect()
}

fn policy() -> Policy {
    text("policy").parse().unwrap()
}

fn opened(path: &str) -> Checkpoint {
    policy().judge(&Note::parse(&file(path)).unwrap()).unwrap().checkpoint
}

fn root_of(hashes: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    frontier.extend(hashes.iter().copied());
    frontier.root()
}

fn seed(label: &str) -> [u8; 32] {
    Hash::of(label.as_bytes()).0
}

#[test]
fn every_leaf_is_read_and_written_byte_for_byte() {
    let all = leaves();
    assert_eq!(all.len() as u64, SIZE);
    for (index, leaf) in (0..).zip(&all) {
        let parsed = Leaf::parse(leaf.as_bytes()).unwrap();
        assert_eq!(parsed.to_text().unwrap(), *leaf);
        assert_eq!(parsed.sequence(), (index > 0).then_some(index));
        assert_eq!(matches!(parsed, Leaf::Genesis(_)), index == 0);
    }
}

#[test]
fn leaves_are_derived_from_the_stored_events() {
    let leaves = leaves();
    for line in text("events.jsonl").lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let headers = event["headers"].as_array().unwrap().iter();
        let pairs = headers.map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()));
        let payload = base64(event["payload_b64"].as_str().unwrap());
        let seq = event["seq"].as_u64().unwrap();
        let leaf = Leaf::Event(Event {
            log: opened("checkpoint").origin,
            stream: event["stream"].as_str().unwrap().to_owned(),
            seq,
            subject: event["subject"].as_str().unwrap().to_owned(),
            time_ns: event["time_ns"].as_u64().unwrap(),
            headers_sha256: canonical_headers(pairs).unwrap(),
            payload_len: payload.len() as u64,
            payload_sha256: Hash::of(&payload),
        });
        assert_eq!(leaf.to_text().unwrap(), leaves[usize::try_from(seq).unwrap()]);
    }
}

fn base64(text: &str) -> Vec<u8> {
    use base64::{Engine, prelude::BASE64_STANDARD};
    BASE64_STANDARD.decode(text).unwrap()
}

#[test]
fn checkpoints_are_signed_and_witnessed() {
    for (path, size) in [("checkpoint", SIZE), ("checkpoint.17", 17)] {
        let note = Note::parse(&file(path)).unwrap();
        let judgement = policy().judge(&note).unwrap();
        assert_eq!(judgement.checkpoint.size, size);
        assert_eq!(judgement.checkpoint.root, root_of(&hashes()[..usize::try_from(size).unwrap()]));
        assert!(judgement.quorum);
        assert_eq!(judgement.cosigned_by[0].witness, "customer");
        assert_eq!(note.to_string().into_bytes(), file(path));
    }
}

#[test]
fn the_same_keys_sign_the_same_checkpoint() {
    let origin = opened("checkpoint").origin;
    let log = SoftwareKey::from_seed(&origin, Algorithm::Ed25519, &seed("muster test vector log key 1")).unwrap();
    let name = "witness.customer.example/muster";
    let witness_seed = seed("muster test vector witness key 1");
    let witness = SoftwareKey::from_seed(name, Algorithm::CosignatureV1, &witness_seed).unwrap();
    assert_eq!(policy().logs[0].key, *log.verifier());
    assert_eq!(policy().witnesses[0].key, *witness.verifier());

    let mut note = opened("checkpoint").sign(&[&log]).unwrap();
    let cosigned_at = policy().judge(&Note::parse(&file("checkpoint")).unwrap()).unwrap().cosigned_by[0].unix_seconds;
    note.add(cosign(note.text(), cosigned_at, &witness).unwrap());
    assert_eq!(note.to_string().into_bytes(), file("checkpoint"));
}

#[test]
fn policy_and_keys_keep_their_text() {
    assert_eq!(policy().to_string(), text("policy"));
    let key: VerifierKey = policy().logs[0].key.to_string().parse().unwrap();
    assert_eq!(key, policy().logs[0].key);
}

#[test]
fn tile_and_bundle_are_those_of_the_leaves() {
    let tile: Tile = "tile/0/000.p/22".parse().unwrap();
    assert_eq!(decode_tile(tile, &file("tile/0/000.p/22")).unwrap(), hashes());
    let bundle = file(&bundle_of(0, SIZE).path());
    let entries = decode_bundle(&bundle, 22).unwrap();
    assert_eq!(entries, leaves().iter().map(String::as_bytes).collect::<Vec<_>>());
    assert_eq!(encode_bundle(leaves()).unwrap(), bundle);
}

#[test]
fn every_proof_verifies_and_is_made_again_from_the_tile() {
    let mut tiles = TileSet::new(SIZE);
    tiles.insert("tile/0/000.p/22".parse().unwrap(), &file("tile/0/000.p/22")).unwrap();
    for seq in 1..SIZE {
        let bytes = file(&format!("proofs/seq-{seq:06}.tlog-proof"));
        let proof = TlogProof::parse(&bytes).unwrap();
        assert_eq!(proof.to_string().into_bytes(), bytes);
        assert_eq!(proof.index, seq);
        let (leaf, checkpoint) = proof.verify().unwrap();
        assert_eq!(leaf.sequence(), Some(seq));
        assert_eq!(checkpoint, opened("checkpoint"));
        assert_eq!(merkle::prove_inclusion(seq, SIZE, &tiles).unwrap(), proof.hashes);
    }
}

#[test]
fn the_consistency_proof_verifies_and_is_made_again() {
    let proof: Vec<Hash> = text("consistency-17-22.txt").lines().map(|line| Hash::from_base64(line).unwrap()).collect();
    let (old, new) = (opened("checkpoint.17"), opened("checkpoint"));
    merkle::verify_consistency(&proof, (old.size, old.root), (new.size, new.root)).unwrap();
    let mut tiles = TileSet::new(SIZE);
    tiles.insert("tile/0/000.p/22".parse().unwrap(), &file("tile/0/000.p/22")).unwrap();
    assert_eq!(merkle::prove_consistency(17, SIZE, &tiles).unwrap(), proof);
}

#[test]
fn synthetic_roots_up_to_seventy_thousand_leaves() {
    let roots: Value = serde_json::from_slice(&file("synthetic-roots.json")).unwrap();
    let roots = roots["roots"].as_object().unwrap();
    let (mut frontier, mut writer, mut seen) = (Frontier::new(), muster_tlog::tile_set::TileWriter::new(), 0);
    for size in 0..=70_000_u64 {
        if let Some(root) = roots.get(&size.to_string()) {
            assert_eq!(frontier.root().to_hex(), root.as_str().unwrap(), "at {size}");
            assert_eq!(writer.root(), frontier.root(), "at {size}");
            seen += 1;
        }
        let leaf = leaf_hash(format!("leaf {size}").as_bytes());
        frontier.push(leaf);
        writer.push(leaf);
    }
    assert_eq!(seen, roots.len());
}

#[test]
fn an_edited_event_does_not_lead_to_the_root() {
    let mut proof = TlogProof::parse(&file("proofs/seq-000016.tlog-proof")).unwrap();
    proof.leaf = file("bad/edited-event.leaf");
    assert!(matches!(proof.verify(), Err(TlogProofError::Proof(merkle::ProofError::WrongRoot { .. }))));
}

#[test]
fn deleted_and_reordered_events_have_another_root() {
    for path in ["bad/deleted-event.tile", "bad/reordered.tile"] {
        let bytes = file(path);
        let hashes: Vec<Hash> = bytes.chunks(32).map(|hash| Hash::from_slice(hash).unwrap()).collect();
        assert_ne!(root_of(&hashes), opened("checkpoint").root, "{path}");
    }
}

#[test]
fn a_truncated_log_cannot_be_the_successor_of_a_larger_one() {
    let (old, new) = (opened("checkpoint.17"), opened("bad/truncated.checkpoint"));
    assert_eq!(
        merkle::verify_consistency(&[], (old.size, old.root), (new.size, new.root)),
        Err(merkle::ProofError::Shrunk { old: 17, new: 15 })
    );
}

#[test]
fn a_split_view_has_no_witness_and_another_root() {
    let note = Note::parse(&file("bad/split-view.checkpoint")).unwrap();
    let judgement = policy().judge(&note).unwrap();
    assert!(!judgement.quorum);
    assert_eq!(judgement.missing, ["customer"]);
    let ours = opened("checkpoint");
    assert_eq!(judgement.checkpoint.size, ours.size);
    let proof = merkle::verify_consistency(&[], (ours.size, ours.root), (SIZE, judgement.checkpoint.root));
    assert!(matches!(proof, Err(merkle::ProofError::WrongRoot { .. })));
}

#[test]
fn a_forged_checkpoint_is_not_signed() {
    let note = Note::parse(&file("bad/forged.checkpoint")).unwrap();
    let refused = policy().judge(&note).unwrap_err().to_string();
    assert!(refused.contains("is not over this text"), "{refused}");
}
