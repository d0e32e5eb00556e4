//! The stream, or the store, is not what it was.

use muster_domain::pb::audit::v1::audit_log_event::Event;
use muster_local::nats::{NatsOptions, NatsServer};

use crate::world::{World, acme, connect, eventually};

/// The stream as an older copy has it: what is promoted at another site, or restored.
pub(crate) async fn a_lost_tail_is_declared_and_a_new_epoch_opens(world: &World) {
    let directory = tempfile::tempdir().unwrap();
    let (store, copy) = (directory.path().join("store"), directory.path().join("copy"));
    let mut nats = NatsServer::start(NatsOptions { dir: store.clone(), ..NatsOptions::default() }).await.unwrap();
    let mut here = world.installation_on(&nats.url()).await;
    here.start().await;
    here.append(300).await;
    here.all_covered(1).await;
    here.stop().await;
    nats.stop().await.unwrap();
    copy_folder(&store, &copy);
    nats.restart().await.unwrap();
    here.log = connect(&here.config).await;
    here.start().await;
    let lost = here.append(20).await;
    let signed = here.all_covered(1).await;
    let origin = signed.origin.clone();
    here.stop().await;
    nats.stop().await.unwrap();
    std::fs::remove_dir_all(&store).unwrap();
    copy_folder(&copy, &store);
    nats.restart().await.unwrap();
    here.log = connect(&here.config).await;
    // Others write before the log looks: the lost numbers are given again.
    here.append(5).await;

    here.start().await;
    here.all_covered(2).await;
    let life = here.life().await;
    let opened = life.epoch().unwrap();
    assert_eq!((opened.epoch, opened.reason.as_str(), opened.first_sequence), (2, "promoted", 1));
    let previous = opened.previous.clone().unwrap();
    assert_eq!((previous.origin, previous.size, previous.root), (origin, signed.size, signed.root.to_hex()));
    let gaps: Vec<_> = here
        .own_events()
        .await
        .into_iter()
        .filter_map(|event| if let Event::GapDetected(gap) = event { Some(gap) } else { None })
        .collect();
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!((gaps[0].first_sequence, gaps[0].last_sequence), (lost[0].1, lost[19].1));
    assert_eq!(here.findings().await, [""; 0], "a declared loss is no finding in the new epoch");
    // The same key goes on under the new origin: readers know it.
    let keys: Vec<muster_tlog::VerifierKey> =
        life.epochs.iter().map(|epoch| epoch.verifier_key.parse().unwrap()).collect();
    assert_eq!(keys[0].public_key(), keys[1].public_key());
    here.stop().await;
    nats.stop().await.unwrap();
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    let status = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

/// An event is replaced while nobody looks; all others are the same, with their times.
pub(crate) async fn an_edited_event_stops_the_signer(world: &World) {
    let mut here = world.installation().await;
    here.append(20).await;
    here.start().await;
    here.all_covered(1).await;
    here.stop().await;
    replace_leaf_12(&here.store().join("acme/1"));
    here.start().await;
    let life = async || here.life().await.stopped.map(|stopped| stopped.text());
    eventually("the signer has stopped", async || life().await.is_some()).await;
    let before = here.get_log().await;
    assert!(before.stopped.contains("event 12"), "{}", before.stopped);
    let more = here.append(3).await;
    // It stays stopped; nothing is signed over what came later.
    here.stop().await;
    here.start().await;
    eventually("it says so again", async || !here.get_log().await.stopped.is_empty()).await;
    assert_eq!(here.get_log().await.pending, before.pending);
    assert!(before.stream_sequence < more[2].1);
    here.stop().await;
}

/// The log as if the stream had been different when it was written: every file agrees, also the signer's state.
fn replace_leaf_12(log: &std::path::Path) {
    use muster_tlog::{Leaf, bundle, leaf_hash, tile_set::TileWriter};
    let signer = std::fs::read_to_string(log.join("signer")).unwrap();
    let mut state: serde_json::Value = serde_json::from_str(&signer).unwrap();
    let size = state["size"].as_u64().unwrap();
    assert!(size < 256);
    let path = log.join(format!("tile/entries/000.p/{size}"));
    let bytes = std::fs::read(&path).unwrap();
    let mut leaves: Vec<Vec<u8>> =
        bundle::decode_bundle(&bytes, size as usize).unwrap().into_iter().map(<[u8]>::to_vec).collect();
    let Leaf::Event(mut event) = Leaf::parse(&leaves[12]).unwrap() else { panic!("leaf 12 is no event") };
    event.payload_len += 1;
    leaves[12] = Leaf::Event(event).to_text().unwrap().into_bytes();
    let mut tiles = TileWriter::new();
    leaves.iter().for_each(|leaf| tiles.push(leaf_hash(leaf)));
    std::fs::write(&path, bundle::encode_bundle(&leaves).unwrap()).unwrap();
    for (tile, bytes) in tiles.partial() {
        std::fs::write(log.join(tile.path()), bytes).unwrap();
    }
    state["root"] = tiles.root().to_hex().into();
    std::fs::write(log.join("signer"), state.to_string()).unwrap();
}

pub(crate) async fn lost_files_are_derived_again(world: &World) {
    let mut here = world.installation().await;
    here.append(700).await;
    here.start().await;
    let before = here.all_covered(1).await;
    here.stop().await;
    let tiles = here.store().join("acme/1/tile");
    let all = || std::fs::remove_dir_all(&tiles).unwrap();
    let old = || ["entries/000", "0/000"].iter().for_each(|tile| std::fs::remove_file(tiles.join(tile)).unwrap());
    for lose in [&all as &dyn Fn(), &old] {
        lose();
        assert!(here.findings().await[0].contains("missing"));
        here.start().await;
        let more = here.append(1).await;
        let after = here.covered(1, more[0].1).await;
        assert_eq!(after.origin, before.origin);
        here.stop().await;
        assert_eq!(here.findings().await, [""; 0]);
        assert_eq!(here.log.last_sequence(&acme()).await.unwrap(), more[0].1, "nothing was recorded for it");
    }
}
