//! What cannot be a leaf, a path, a policy or a proof is refused, each for its own reason.
#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use muster_tlog::{
    Algorithm, Checkpoint, Hash, Leaf, Note, Policy, SigningKey, SoftwareKey, Tile,
    bundle::{BundleError, decode_bundle, encode_bundle, leaf_hashes},
    cosignature::cosign,
    leaf::{Event, Gap, Genesis, LeafError, Previous},
    leaf_hash,
    note::{NoteError, parse_signature},
    policy::PolicyError,
};

fn event() -> Event {
    Event {
        log: "log.example/t/record/1".to_owned(),
        stream: "record".to_owned(),
        seq: 7,
        subject: "rec.t.request.r.2".to_owned(),
        time_ns: 1_791_190_800_000_001_000,
        headers_sha256: Hash::of(b""),
        payload_len: 0,
        payload_sha256: Hash::of(b""),
    }
}

fn key(name: &str, seed: u8) -> SoftwareKey {
    SoftwareKey::from_seed(name, Algorithm::Ed25519, &[seed; 32]).unwrap()
}

fn witness(name: &str, seed: u8) -> SoftwareKey {
    SoftwareKey::from_seed(name, Algorithm::CosignatureV1, &[seed; 32]).unwrap()
}

#[test]
fn a_subject_that_would_add_a_line_is_no_leaf() {
    for (subject, character) in [("a\nseq 8", '\n'), ("a b", ' '), ("a\r", '\r'), ("a\u{85}b", '\u{85}')] {
        let leaf = Leaf::Event(Event { subject: subject.to_owned(), ..event() });
        let refused = leaf.to_text().unwrap_err();
        assert!(
            matches!(&refused, LeafError::Character { field: "subject", character: c, .. } if *c == character),
            "{refused}"
        );
    }
    let empty = Leaf::Event(Event { stream: String::new(), ..event() });
    assert_eq!(empty.to_text(), Err(LeafError::Empty { field: "stream" }));
}

#[test]
fn a_leaf_ends_at_65_535_bytes() {
    let leaf = |bytes: usize| Leaf::Event(Event { subject: "s".repeat(bytes), ..event() });
    let around = leaf(1).to_text().unwrap().len() - 1;
    leaf(65_535 - around).to_text().unwrap();
    assert_eq!(leaf(65_536 - around).to_text(), Err(LeafError::TooLong(65_536)));
    assert_eq!(Leaf::parse(&[b'a'; 65_536]), Err(LeafError::TooLong(65_536)));
}

#[test]
fn genesis_and_gap_come_back() {
    let previous = Previous { origin: "log.example/t/record/1".to_owned(), size: 9, root: Hash::of(b"x") };
    for previous in [None, Some(previous)] {
        let key = key("log.example/t/record/2", 1).verifier().to_string();
        let (log, stream) = ("log.example/t/record/2".to_owned(), "record".to_owned());
        let leaf = Leaf::Genesis(Genesis { log, stream, first_seq: 10, previous, key });
        assert_eq!(Leaf::parse(leaf.to_text().unwrap().as_bytes()).unwrap(), leaf);
    }
    let (log, stream) = (event().log, event().stream);
    let gap = Gap { log, stream, seq: 4, reason: "the stream does not hold it: purged by an administrator".to_owned() };
    assert_eq!(
        Leaf::Gap(gap.clone()).to_text().unwrap(),
        "muster-audit-gap/v1\nlog log.example/t/record/1\nstream record\nseq 4\n\
         reason the stream does not hold it: purged by an administrator\n"
    );
    assert_eq!(Leaf::parse(Leaf::Gap(gap.clone()).to_text().unwrap().as_bytes()).unwrap(), Leaf::Gap(gap.clone()));
    Leaf::Gap(Gap { reason: "two\nlines".to_owned(), ..gap }).to_text().unwrap_err();
}

#[test]
fn another_spelling_of_a_leaf_is_refused() {
    let good = Leaf::Event(event()).to_text().unwrap();
    for (from, to) in [
        ("seq 7\n", "seq 07\n"),
        ("seq 7\n", "seq +7\n"),
        ("seq 7\n", "seq  7\n"),
        ("payload 0 ", "payload 00 "),
        ("stream record\n", "stream record\r\n"),
        ("muster-audit-leaf/v1\n", "muster-audit-leaf/v2\n"),
        ("sha256:e3b0", "sha256:E3B0"),
        ("seq 7\n", ""),
        ("seq 7\n", "seq 7\nseq 7\n"),
    ] {
        assert!(good.contains(from));
        let bad = good.replacen(from, to, 1);
        Leaf::parse(bad.as_bytes()).unwrap_err();
    }
    assert_eq!(Leaf::parse(format!("{good}more\n").as_bytes()), Err(LeafError::Trailing));
    Leaf::parse(good.trim_end().as_bytes()).unwrap_err();
}

#[test]
fn a_tile_has_one_path() {
    let tile: Tile = "tile/1/x001/x234/067.p/8".parse().unwrap();
    assert_eq!((tile.index, tile.width), (1_234_067, 8));
    for path in [
        "tile/0/1",
        "tile/0/0001",
        "tile/0/x000/001",
        "tile/00/001",
        "tile/0/001.p/256",
        "tile/0/001.p/0",
        "tile/0/001.p/08",
        "tile/8/001",
        "tile/0/../001",
        "tile/0/x001",
        "tile/0/001/002",
        "tile/+1/000",
        "/tile/0/000",
        "tile/entries/",
        "checkpoint",
        "tile/0/000.p/+3",
        "tile/0/000.p/3/..",
    ] {
        assert!(path.parse::<Tile>().is_err(), "{path}");
    }
}

#[test]
fn a_bundle_that_is_cut_off_or_has_another_count_is_refused() {
    assert_eq!(decode_bundle(&[0, 2, b'a'], 1), Err(BundleError::CutOff { entry: 0 }));
    assert_eq!(decode_bundle(&[0, 1, b'a', 0], 2), Err(BundleError::CutOff { entry: 1 }));
    assert_eq!(decode_bundle(&[0, 1, b'a'], 2), Err(BundleError::Count { expected: 2, found: 1 }));
    assert_eq!(leaf_hashes(&[0, 2, b'a'], 1), Err(BundleError::CutOff { entry: 0 }));
    assert_eq!(leaf_hashes(&[0, 1, b'a', 0], 2), Err(BundleError::CutOff { entry: 1 }));
    assert_eq!(
        leaf_hashes(&[0, 1, b'a', 0, 1, b'b', 0, 1, b'c'], 2),
        Err(BundleError::Count { expected: 2, found: 3 })
    );
}

#[test]
fn the_leaves_of_a_bundle_hash_in_pairs_as_each_alone() {
    // Odd and even counts; lengths on both sides of what is hashed in pairs, and of each block's end.
    for count in [0, 1, 2, 3, 255, 256] {
        let leaves: Vec<Vec<u8>> = (0..count).map(|index| vec![index as u8; index * 37 % 700]).collect();
        let expected: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
        assert_eq!(leaf_hashes(&encode_bundle(&leaves).unwrap(), count).unwrap(), expected, "{count} leaves");
    }
}

#[test]
fn unknown_signatures_are_ignored_and_wrong_ones_of_known_keys_are_not() {
    let (ours, other) = (key("log.example/a", 1), key("log.example/a", 2));
    let checkpoint = Checkpoint::new("log.example/a", 3, Hash::of(b"r"));
    let known = [ours.verifier().clone()];
    // Both keys of a rotation sign; who knows only one verifies by it.
    let note = checkpoint.sign(&[&other, &ours]).unwrap();
    assert_eq!(note.verify(&known).unwrap().len(), 1);
    let unknown = checkpoint.sign(&[&other]).unwrap();
    assert!(matches!(unknown.verify(&known), Err(NoteError::UnknownKeys { .. })));
    // The right name and key id over another text.
    let mut wrong = Checkpoint::new("log.example/a", 4, Hash::of(b"r")).sign(&[&other]).unwrap();
    wrong.add(note.signatures()[1].clone());
    assert!(matches!(wrong.verify(&known), Err(NoteError::BadSignature { .. })));
}

#[test]
fn a_checkpoint_counts_for_the_log_that_signs_it() {
    let key = key("log.example/a", 1);
    let other = Checkpoint::new("log.example/b", 3, Hash::of(b"r")).sign(&[&key]).unwrap();
    let refused = Checkpoint::open(other.to_string().as_bytes(), &[key.verifier().clone()]).unwrap_err();
    assert_eq!(refused.to_string(), "the checkpoint is of the log 'log.example/b', not of 'log.example/a'");
    // A witness alone does not make a checkpoint.
    let witness = witness("w.example", 5);
    let mut note = Checkpoint::new("log.example/a", 3, Hash::of(b"r")).sign(&[]).unwrap();
    note.add(cosign(note.text(), 1, &witness).unwrap());
    let refused = Checkpoint::open(note.to_string().as_bytes(), &[witness.verifier().clone()]).unwrap_err();
    assert_eq!(refused.to_string(), "only witnesses signed the checkpoint, not the log");
}

#[test]
fn a_cosignature_is_bound_to_its_time() {
    let witness = witness("w.example", 5);
    let mut note = Checkpoint::new("log.example/a", 3, Hash::of(b"r")).sign(&[]).unwrap();
    let mut line = cosign(note.text(), 1_000, &witness).unwrap();
    note.add(line.clone());
    let known = [witness.verifier().clone()];
    assert_eq!(note.verify(&known).unwrap()[0].cosigned_at, Some(1_000));
    assert_eq!(parse_signature(&line.to_string()).unwrap(), line);
    line.bytes[7] ^= 1;
    note.add(line);
    assert!(matches!(note.verify(&known), Err(NoteError::BadSignature { .. })));
}

#[test]
fn notes_of_another_form_are_refused() {
    let key = key("log.example/a", 1);
    let good = Checkpoint::new("log.example/a", 3, Hash::of(b"r")).sign(&[&key]).unwrap().to_string();
    Note::parse(good.as_bytes()).unwrap();
    for bad in [
        good.trim_end(),
        &good.replace("\n\n", "\n"),
        &good.replace('—', "-"),
        &format!("{good}x\n"),
        &good.replace("a\n3", "a\r\n3"),
        "",
        "\n\n",
    ] {
        assert!(Note::parse(bad.as_bytes()).is_err(), "{bad:?}");
    }
    let line = good.lines().last().unwrap();
    let many = format!("{}\n{}", good.split("\n\n").next().unwrap(), format!("\n{line}").repeat(101));
    assert_eq!(Note::parse(format!("{many}\n").as_bytes()), Err(NoteError::TooManySignatures));
}

fn policy_of(lines: &str) -> Result<Policy, PolicyError> {
    let (a, b) = (key("log.example/a", 1), key("log.example/a", 2));
    let mut text = lines.replace("$a", &a.verifier().to_string()).replace("$b", &b.verifier().to_string());
    text = text.replace("$ida", &a.verifier().id().to_string());
    for (name, seed) in [("$w1", 11), ("$w2", 12), ("$w3", 13)] {
        text = text.replace(name, &witness(&format!("{}.example", &name[1..]), seed).verifier().to_string());
    }
    text.parse()
}

#[test]
fn a_quorum_counts_witnesses_through_groups() {
    let policy = policy_of(
        "# who may vouch\nlog $a\n\twitness one $w1 https://w1.example\nwitness two $w2\nwitness three $w3\n\
         group cloud any two three\ngroup both all one cloud\nquorum both\n",
    )
    .unwrap();
    for (cosigned, enough) in [
        (vec![], false),
        (vec!["one"], false),
        (vec!["two", "three"], false),
        (vec!["one", "three"], true),
        (vec!["both"], false),
    ] {
        assert_eq!(policy.is_quorum(cosigned.iter().copied()), enough, "{cosigned:?}");
    }
    assert_eq!(policy.to_string().parse::<Policy>().unwrap(), policy);
}

#[test]
fn a_policy_that_counts_one_witness_twice_is_refused() {
    for (lines, problem) in [
        ("log $a\n", "no quorum line"),
        ("quorum none\nquorum none\n", "one quorum"),
        ("quorum one\n", "not defined"),
        ("log $a\nlog $a\nquorum none\n", "listed twice"),
        ("witness one $w1\nwitness two $w1\nquorum one\n", "listed twice"),
        ("witness one $w1\nwitness one $w2\nquorum one\n", "taken"),
        ("witness none $w1\nquorum none\n", "taken"),
        ("witness one $w1\ngroup g 2 one one\nquorum g\n", "twice"),
        ("witness one $w1\ngroup g 2 one\nquorum g\n", "cannot be"),
        ("witness one $w1\ngroup g 0 one\nquorum g\n", "cannot be"),
        ("group g any\nquorum g\n", "cannot be"),
        ("witness one $a\nquorum one\n", "other kind"),
        ("log $w1\nquorum none\n", "other kind"),
        ("logs $a\nquorum none\n", "not known"),
    ] {
        let refused = policy_of(lines).unwrap_err().to_string();
        assert!(refused.contains(problem), "{lines}: {refused}");
    }
}

#[test]
fn a_key_that_ended_signs_nothing_larger() {
    let policy = policy_of("log $a\n# log-ends $ida 10\nlog $b\nquorum none\n").unwrap();
    assert_eq!(policy.to_string().parse::<Policy>().unwrap(), policy);
    let (old, new) = (key("log.example/a", 1), key("log.example/a", 2));
    let signed = |size, keys: &[&dyn SigningKey]| {
        policy.judge(&Checkpoint::new("log.example/a", size, Hash::of(b"r")).sign(keys).unwrap())
    };
    assert_eq!(signed(10, &[&old]).unwrap().signed_by.len(), 1);
    assert!(matches!(signed(11, &[&old]), Err(PolicyError::Ended { ends_at: 10, size: 11, .. })));
    assert_eq!(signed(11, &[&old, &new]).unwrap().signed_by, [new.verifier().clone()]);
}
