//! Proofs out of the log's own tiles.

use async_trait::async_trait;
use muster_logstore::{LogFiles, StoreError};
use muster_tlog::{
    Hash, Tile,
    merkle::{self, ProofError},
    tile::tiles_of,
    tile_set::{TileSet, TileSetError},
    tree::Subtree,
};

use super::vouch::Consistency;

#[derive(Debug, thiserror::Error)]
pub(crate) enum ProveError {
    #[error("the tile {0} is missing")]
    Missing(Tile),
    #[error("{0}")]
    Tile(String),
    #[error(transparent)]
    Proof(#[from] ProofError),
    #[error(transparent)]
    Set(#[from] TileSetError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Proofs for checkpoints whose tiles are in the store.
#[derive(Debug, Clone)]
pub(crate) struct Proofs {
    files: LogFiles,
}

impl Proofs {
    pub(crate) fn new(files: LogFiles) -> Self {
        Self { files }
    }

    pub(crate) async fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, ProveError> {
        let tiles = self.load(&merkle::inclusion_needs(index, size)?, size).await?;
        Ok(merkle::prove_inclusion(index, size, &tiles)?)
    }

    pub(crate) async fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, ProveError> {
        let tiles = self.load(&merkle::consistency_needs(old, new)?, new).await?;
        Ok(merkle::prove_consistency(old, new, &tiles)?)
    }

    /// The root of the first `size` leaves, out of the tiles of a checkpoint at `within`: also where none was at `size`.
    pub(crate) async fn root(&self, size: u64, within: u64) -> Result<Hash, ProveError> {
        let tiles = self.load(&merkle::root_needs(size), within).await?;
        Ok(merkle::root(size, &tiles)?)
    }

    async fn load(&self, needs: &[Subtree], size: u64) -> Result<TileSet, ProveError> {
        let mut set = TileSet::new(size);
        for tile in tiles_of(needs, size) {
            let bytes = self.files.read(&tile.path()).await?.ok_or(ProveError::Missing(tile))?;
            set.insert(tile, &bytes).map_err(|error| ProveError::Tile(error.to_string()))?;
        }
        Ok(set)
    }
}

#[async_trait]
impl Consistency for Proofs {
    async fn consistency(&self, old: u64, new: u64) -> Result<Vec<[u8; 32]>, String> {
        let proof = Self::consistency(self, old, new).await.map_err(|error| error.to_string())?;
        Ok(proof.into_iter().map(|hash| hash.0).collect())
    }
}
