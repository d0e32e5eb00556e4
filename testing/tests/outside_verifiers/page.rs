//! docs/verify-without-muster.md, followed literally, on whole and broken packages.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

use std::{fs, path::Path, process::Command};

use muster_testing::by_hand::Auditor;

use crate::evidence::{Evidence, repository};

fn follow(evidence: &Evidence, proof: Option<&str>) -> (bool, String) {
    let (package, keys, scratch) = (evidence.package(), evidence.keys(), evidence.scratch().to_owned());
    let proof = proof.map(|proof| package.join(proof));
    Auditor { package, keys, scratch }.follow_the_page(proof.as_deref()).unwrap()
}

#[track_caller]
fn assert_refused(evidence: &Evidence, proof: Option<&str>, says: &str) {
    let (good, said) = follow(evidence, proof);
    assert!(!good && said.contains(says), "{says:?} is not said:\n{said}");
}

#[test]
fn the_page_verifies_a_package() {
    let evidence = Evidence::new();
    for proof in [None, Some("proofs/seq-000001.tlog-proof"), Some("proofs/seq-000016.tlog-proof")] {
        let (good, said) = follow(&evidence, proof);
        assert!(good, "{said}");
        for line in [
            "leaves: 22",
            "the root, from all leaves: z3H1r6ZKwIqS7rT05hjW4cpodlsxFS2z95mwLF9ux/4=",
            "the headers: headers sha256:",
            "the payload: payload ",
            "the manifest: ",
            "everything on this page is as it should be",
        ] {
            assert!(said.contains(line), "{line:?} is not said:\n{said}");
        }
        assert_eq!(said.matches("Signature Verified Successfully").count(), 3, "{said}");
    }
}

#[test]
fn the_page_refuses_what_is_broken() {
    let refused = |change: &dyn Fn(&Evidence), proof: Option<&str>, says: &str| {
        let evidence = Evidence::new();
        change(&evidence);
        assert_refused(&evidence, proof, says);
    };
    // The six broken logs of the vectors.
    refused(&|e| e.put_bad("forged.checkpoint", "checkpoint"), None, "Signature Verification Failure");
    refused(&|e| e.put_bad("split-view.checkpoint", "checkpoint"), None, "NOT GOOD: the witness did not cosign it");
    refused(&|e| e.put_bad("truncated.checkpoint", "checkpoint"), None, "NOT GOOD: the witness did not cosign it");
    let edited = |e: &Evidence| {
        let leaf = fs::read(repository().join("testing/vectors/tlog/bad/edited-event.leaf")).unwrap();
        e.change_leaves(|leaves| leaves[16] = leaf);
    };
    refused(&edited, None, "NOT GOOD, the root, from all leaves");
    refused(&|e| e.change_leaves(|leaves| drop(leaves.remove(16))), None, "NOT GOOD, index 16: 17 is not 16");
    refused(&|e| e.change_leaves(|leaves| leaves.swap(9, 10)), None, "NOT GOOD, index 9: 10 is not 9");

    // A proof of another leaf, an event that is not what was logged, files that are not those of the manifest.
    let proof = "proofs/seq-000016.tlog-proof";
    refused(&|e| e.edit(proof, "\nindex 16\n", "\nindex 17\n"), Some(proof), "NOT GOOD, the root, from leaf 17 of 22");
    let actor = "\"svc:evaluator\"], [\"Nats-Expected-Last-Sequence\", \"15\"";
    let other = actor.replace("evaluator", "evaluat0r");
    refused(&|e| e.edit("events.jsonl", actor, &other), Some(proof), "NOT GOOD, the headers");
    refused(&|e| e.edit("events.jsonl", "eyJhY3RvciI6InN2Yzpl", "eyJhY3RvciI6InN2Yzpm"), None, "sha256sum: WARNING: 1");
    refused(&|e| e.edit("manifest.json", "\"size\":", "\"size\": "), None, "NOT GOOD, the manifest");
    refused(
        &|e| e.edit("manifest.dsse.json", "\"payload\": \"e", "\"payload\": \"f"),
        None,
        "Signature Verification Failure",
    );
    // The key of another log.
    let other_log = |e: &Evidence| {
        let vkey = fs::read_to_string(e.keys().join("log.vkey")).unwrap();
        fs::write(e.keys().join("log.vkey"), vkey.replacen("audit.", "b.", 1)).unwrap();
    };
    refused(&other_log, None, "NOT GOOD, the log");
}

/// A time-stamp authority of this machine's own, as `openssl ts` has it.
#[test]
fn the_page_verifies_a_time_stamp() {
    let evidence = Evidence::new();
    stamp(evidence.scratch(), &evidence.package().join("checkpoint"), &evidence.keys());
    let (good, said) = follow(&evidence, None);
    assert!(good && said.contains("Verification: OK"), "{said}");
    // The token of another checkpoint.
    let other = Evidence::new();
    stamp(other.scratch(), &other.package().join("checkpoint.17"), &other.keys());
    assert_refused(&other, None, "Verification: FAILED");
}

fn stamp(work: &Path, data: &Path, keys: &Path) {
    let config = "[ tsa ]\ndefault_tsa = t\n[ t ]\nserial = ./serial\ndefault_policy = 1.2.3.4\ndigests = sha256\n\
                  signer_digest = sha256\naccuracy = secs:1\nordering = no\ness_cert_id_chain = no\ness_cert_id_alg = sha256\n\
                  [ req ]\ndistinguished_name = dn\nprompt = no\nx509_extensions = v3\n[ dn ]\nCN = time\n\
                  [ v3 ]\nkeyUsage = critical,digitalSignature\nextendedKeyUsage = critical,timeStamping\n";
    fs::write(work.join("tsa.cnf"), config).unwrap();
    fs::write(work.join("serial"), "01\n").unwrap();
    let run = |arguments: &str| {
        let data = data.display().to_string();
        let arguments = arguments.split(' ').map(|word| if word == "DATA" { data.as_str() } else { word });
        let output = Command::new("openssl").args(arguments).current_dir(work).output().unwrap();
        if !output.status.success() {
            panic!("{}", String::from_utf8_lossy(&output.stderr));
        }
    };
    run("req -x509 -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.pem -days 2 -config tsa.cnf");
    run("ts -query -data DATA -sha256 -cert -out query.tsq");
    run("ts -reply -queryfile query.tsq -inkey tsa.key -signer tsa.pem -config tsa.cnf -out checkpoint.tsr");
    fs::copy(work.join("checkpoint.tsr"), keys.join("checkpoint.tsr")).unwrap();
    fs::copy(work.join("tsa.pem"), keys.join("tsa.pem")).unwrap();
}
