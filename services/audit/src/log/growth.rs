//! The right edge of a growing log: leaves go in, files come out. Constant memory, whatever the log's size.

use muster_logstore::{Created, LogFiles};
use muster_tlog::{
    Hash, Tile, bundle,
    leaf::LeafError,
    leaf_hash,
    tile::{TILE_WIDTH, bundle_of, edge},
    tile_set::TileWriter,
};

use super::fault::Fault;

/// Files of one checkpoint that are on their way at once.
const AT_ONCE: usize = 4;

#[derive(Default)]
pub(crate) struct Growth {
    tiles: TileWriter,
    /// The leaves of the entry bundle that is not full yet.
    bundle: Vec<u8>,
    /// Bundles that became full and were not written yet.
    full: Vec<(Tile, Vec<u8>)>,
}

impl Growth {
    /// Goes on at `size`, from the files of the checkpoint at that size.
    pub(crate) async fn resume(files: &LogFiles, size: u64) -> Result<Self, Fault> {
        let mut loaded = Vec::new();
        for tile in edge(size) {
            loaded.push((tile, needed(files, tile).await?));
        }
        let load = |tile: Tile| loaded.iter().find(|(one, _)| *one == tile).map(|(_, bytes)| bytes.clone());
        let tiles = TileWriter::resume(size, load)
            .map_err(|error| Fault::Damaged { file: "tile".to_owned(), why: error.to_string() })?;
        let bundle = match size % TILE_WIDTH {
            0 => Vec::new(),
            _ => needed(files, bundle_of(size - 1, size)).await?,
        };
        Ok(Self { tiles, bundle, full: Vec::new() })
    }

    pub(crate) fn size(&self) -> u64 {
        self.tiles.size()
    }

    pub(crate) fn root(&self) -> Hash {
        self.tiles.root()
    }

    pub(crate) fn push(&mut self, leaf: &str) -> Result<(), LeafError> {
        bundle::append_entry(&mut self.bundle, leaf.as_bytes())?;
        self.tiles.push(leaf_hash(leaf.as_bytes()));
        let size = self.tiles.size();
        if size.is_multiple_of(TILE_WIDTH) {
            self.full.push((bundle_of(size - 1, size), std::mem::take(&mut self.bundle)));
        }
        Ok(())
    }

    /// Writes what is full. Afterwards nothing is held but the edge.
    pub(crate) async fn write_full(&mut self, files: &LogFiles) -> Result<(), Fault> {
        let mut full = std::mem::take(&mut self.full);
        full.extend(self.tiles.take_full());
        write(files, full).await
    }

    /// Writes all that a checkpoint at the present size needs.
    pub(crate) async fn write_all(&mut self, files: &LogFiles) -> Result<(), Fault> {
        self.write_full(files).await?;
        let size = self.size();
        let mut partial = self.tiles.partial();
        if !self.bundle.is_empty() {
            partial.push((bundle_of(size - 1, size), self.bundle.clone()));
        }
        write(files, partial).await
    }
}

/// A tile is written once. One that is there already, with another content, is another tree under our name.
async fn write(files: &LogFiles, tiles: Vec<(Tile, Vec<u8>)>) -> Result<(), Fault> {
    for some in tiles.chunks(AT_ONCE) {
        let create = some.iter().map(|(tile, bytes)| {
            let path = tile.path();
            async move { Ok::<_, Fault>((files.create(&path, bytes.clone()).await?, path)) }
        });
        for (created, path) in futures::future::try_join_all(create).await? {
            if created == Created::Different {
                return Err(Fault::OtherTile { file: path });
            }
        }
    }
    Ok(())
}

async fn needed(files: &LogFiles, tile: Tile) -> Result<Vec<u8>, Fault> {
    let found = files.read(&tile.path()).await?;
    let missing = || Fault::Damaged { file: tile.path(), why: "it is missing".to_owned() };
    Ok(found.ok_or_else(missing)?.to_vec())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use std::sync::Arc;

    use muster_logstore::LogStore;
    use muster_tlog::Frontier;
    use object_store::{memory::InMemory, path::Path};

    use super::*;

    fn files() -> LogFiles {
        LogStore::on(Arc::new(InMemory::new()), Path::default(), "memory").log(&"acme".parse().unwrap(), 1)
    }

    fn root_of(leaves: u64) -> Hash {
        let mut frontier = Frontier::new();
        (0..leaves).for_each(|leaf| frontier.push(leaf_hash(format!("leaf {leaf}").as_bytes())));
        frontier.root()
    }

    #[tokio::test]
    async fn a_log_goes_on_from_the_files_of_any_checkpoint() {
        let files = files();
        let (mut growth, mut written) = (Growth::default(), 0);
        for stop in [1, 2, 200, 255, 256, 257, 511, 512, 700, 66_000] {
            for leaf in written..stop {
                growth.push(&format!("leaf {leaf}")).unwrap();
            }
            growth.write_all(&files).await.unwrap();
            written = stop;
            assert_eq!((growth.size(), growth.root()), (stop, root_of(stop)));
            growth = Growth::resume(&files, stop).await.unwrap();
            assert_eq!((growth.size(), growth.root()), (stop, root_of(stop)), "resumed");
        }
        assert!(files.read("tile/entries/257.p/208").await.unwrap().is_some());
        assert!(files.read("tile/2/000.p/1").await.unwrap().is_some());
        assert!(files.read("tile/0/000.p/200").await.unwrap().is_some(), "partial tiles are kept");
    }

    #[tokio::test]
    async fn another_tree_over_the_same_files_is_refused() {
        let files = files();
        let mut growth = Growth::default();
        growth.push("leaf 0").unwrap();
        growth.write_all(&files).await.unwrap();
        growth.write_all(&files).await.unwrap();
        let mut other = Growth::default();
        other.push("leaf zero").unwrap();
        assert!(matches!(other.write_all(&files).await.unwrap_err(), Fault::OtherTile { .. }));
    }
}
