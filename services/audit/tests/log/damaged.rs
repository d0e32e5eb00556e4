//! The log's own files are changed.

use std::path::Path;

use crate::world::{World, eventually};

type Damage<'f> = &'f dyn Fn(&mut Vec<u8>);

pub(crate) async fn fsck_names_what_is_wrong(world: &World) {
    let mut here = world.installation().await;
    here.append(300).await;
    here.start().await;
    let checkpoint = here.all_covered(1).await;
    here.stop().await;
    assert_eq!(here.findings().await, [""; 0]);
    let log = here.store().join("acme/1");
    let pending = std::fs::read_to_string(log.join("checkpoint.pending")).unwrap();
    let cases: [(&str, Damage<'_>, &str); 7] = [
        // The digit before the line break of a payload's length, far into the first bundle.
        ("tile/entries/000", &|bytes| edit(bytes, b"\nseq 200\n", b"\nseq 201\n"), "sequence 200"),
        ("tile/0/000", &|bytes| bytes[17] ^= 1, "tile/0/000: it is not what its leaves lead to"),
        ("tile/0/000", &Vec::clear, "tile/0/000: it is not what its leaves lead to"),
        ("checkpoint", &|bytes| edit(bytes, b"\n\n", b"\nmore\n\n"), "checkpoint: "),
        ("checkpoint.pending", &Vec::clear, "checkpoint.pending: "),
        ("signer", &|bytes| edit(bytes, b"\"root\":\"", b"\"root\":\"00"), "signer: its root"),
        ("policy", &|bytes| edit(bytes, b"log audit.example", b"# audit.example"), "policy: "),
    ];
    for (file, change, expected) in cases {
        let path = log.join(file);
        let kept = std::fs::read(&path).unwrap();
        let mut bytes = kept.clone();
        change(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        let findings = here.findings().await;
        assert!(findings.iter().any(|finding| finding.contains(expected)), "{file}: {findings:?}");
        std::fs::write(&path, kept).unwrap();
    }
    let missing = log.join("tile/0/000");
    std::fs::remove_file(missing).unwrap();
    assert_eq!(here.findings().await, ["epoch 1: tile/0/000: it is missing"]);
    assert!(pending.contains(&format!("\n{}\n", checkpoint.size)));
}

fn edit(bytes: &mut Vec<u8>, from: &[u8], to: &[u8]) {
    let at = bytes.windows(from.len()).position(|window| window == from).expect("the text to change");
    bytes.splice(at..at + from.len(), to.iter().copied());
}

/// The private key is not where it was, for a while.
pub(crate) async fn a_log_without_its_key_waits_for_it(world: &World) {
    let mut here = world.installation().await;
    here.append(5).await;
    here.start().await;
    here.all_covered(1).await;
    here.stop().await;
    let keys = here.config.audit.keys.clone().unwrap();
    let away = keys.with_extension("away");
    std::fs::rename(&keys, &away).unwrap();
    here.start().await;
    let more = here.append(2).await;
    eventually("it says why", async || here.get_log().await.stopped.contains("backup of audit.keys")).await;
    here.stop().await;
    std::fs::rename(&away, &keys).unwrap();
    // Another process finds the key, and what the first one said about itself is no longer true.
    here.start().await;
    here.covered(1, more[1].1).await;
    assert_eq!(here.get_log().await.stopped, "");
    assert_eq!(here.life().await.epochs.len(), 1);
    here.stop().await;
}

/// Somebody wrote tiles for a size that was not signed yet, under the name that ours will have.
pub(crate) async fn another_tree_in_the_store_stops_the_signer(world: &World) {
    let mut here = world.installation().await;
    here.append(250).await;
    here.start().await;
    here.all_covered(1).await;
    here.stop().await;
    plant(&here.store().join("acme/1/tile/0/000"));
    here.append(10).await;
    here.start().await;
    eventually("the signer has stopped", async || here.life().await.stopped.is_some()).await;
    let stopped = here.get_log().await.stopped;
    assert!(stopped.contains("tile/0/000"), "{stopped}");
    here.stop().await;
}

fn plant(tile: &Path) {
    std::fs::write(tile, [7; 32 * 256]).unwrap();
}
