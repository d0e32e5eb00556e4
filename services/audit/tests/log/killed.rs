//! The signer is killed at any instant.

use std::time::Duration;

use futures::TryStreamExt as _;
use muster_tlog::{
    Checkpoint, Hash,
    merkle::{root, root_needs},
    tile::tiles_of,
    tile_set::TileSet,
};

use crate::{
    child,
    world::{Installation, World, append, checkpoint, connect},
};

/// `publish` is killed at every single step elsewhere.
const KILLS: u64 = 2;

pub(crate) async fn at_any_instant_and_goes_on_as_one_tree(world: &World) {
    let here = world.installation().await;
    let orders = tempfile::NamedTempFile::new().unwrap();
    let writing = tokio::spawn({
        let log = connect(&here.config).await;
        async move {
            // A load that a signer under test on a busy machine can follow.
            let mut pace = tokio::time::interval(Duration::from_millis(5));
            loop {
                pace.tick().await;
                append(&log, 1).await;
            }
        }
    });
    let files = here.files(1);
    let mut seen: Vec<Checkpoint> = Vec::new();
    for round in 0..KILLS {
        let before = seen.last().map_or(0, |checkpoint| checkpoint.size);
        let mut child = child::start(&here, orders.path());
        // Alive until it has signed something new, then killed a different moment later each time.
        crate::world::eventually("a new checkpoint", async || {
            let found = checkpoint(&files, "checkpoint.pending").await;
            if let Some(found) = found.filter(|found| found.size > before) {
                seen.push(found);
            }
            seen.last().is_some_and(|found| found.size > before)
        })
        .await;
        tokio::time::sleep(Duration::from_millis(130 * round)).await;
        child.kill().await.unwrap();
        give_back_leases(&here).await;
        seen.extend(checkpoint(&files, "checkpoint.pending").await);
    }
    writing.abort();
    let _ended = writing.await;
    let mut child = child::start(&here, orders.path());
    seen.push(here.all_covered(1).await);
    child.kill().await.unwrap();

    assert_eq!(here.findings().await, [""; 0]);
    assert_eq!(here.life().await.epochs.len(), 1, "no epoch was opened for a crash");
    // Every checkpoint that anybody ever saw is of the one tree that there is.
    for checkpoint in &seen {
        assert_eq!(root_at(&here.store().join("acme/1"), checkpoint.size), checkpoint.root, "size {}", checkpoint.size);
    }
}

/// What the killed one held, so that its successor comes at once: the leases run out in tests of their own.
async fn give_back_leases(here: &Installation) {
    let client = async_nats::connect(&here.config.nats.url).await.unwrap();
    let bucket = format!("{}_LEASES", here.config.nats.prefix);
    let leases = async_nats::jetstream::new(client).get_key_value(bucket).await.unwrap();
    let held: Vec<String> = leases.keys().await.unwrap().try_collect().await.unwrap();
    assert!(!held.is_empty(), "the killed one held leases");
    for lease in held {
        leases.delete(lease).await.unwrap();
    }
}

/// The root of the tree's beginning, from the tiles that were kept for that size.
fn root_at(log: &std::path::Path, size: u64) -> Hash {
    let mut tiles = TileSet::new(size);
    for tile in tiles_of(&root_needs(size), size) {
        let bytes = std::fs::read(log.join(tile.path())).expect("partial tiles are kept for every published size");
        tiles.insert(tile, &bytes).unwrap();
    }
    root(size, &tiles).unwrap()
}
