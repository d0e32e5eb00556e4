//! Tiles in memory: read for proofs and roots, and grown by a writer.

use std::collections::HashMap;

use thiserror::Error;

use crate::{
    hash::{HASH_BYTES, Hash, node_hash},
    merkle::{HashReader, ProofError},
    tile::{Kind, TILE_LEVELS, TILE_WIDTH, Tile, TileError, edge, tile_of},
    tree::{Frontier, FrontierError, Subtree},
};

/// The hashes of one tile from its file.
pub fn decode_tile(tile: Tile, bytes: &[u8]) -> Result<Vec<Hash>, TileError> {
    let expected = usize::from(tile.width) * HASH_BYTES;
    if bytes.len() != expected {
        return Err(TileError::Length { tile, expected, found: bytes.len() });
    }
    Ok(bytes.chunks_exact(HASH_BYTES).filter_map(Hash::from_slice).collect())
}

/// The file of a tile.
pub fn encode_tile(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TileSetError {
    #[error("the tile {0} is needed and was not loaded")]
    Missing(Tile),
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// Loaded hash tiles of one log at one size. The tiles are believed: whoever needs certainty compares the root.
#[derive(Debug, Clone, Default)]
pub struct TileSet {
    size: u64,
    tiles: HashMap<Tile, Vec<Hash>>,
}

impl TileSet {
    pub fn new(size: u64) -> Self {
        Self { size, tiles: HashMap::new() }
    }

    pub fn insert(&mut self, tile: Tile, bytes: &[u8]) -> Result<(), TileError> {
        self.tiles.insert(tile, decode_tile(tile, bytes)?);
        Ok(())
    }
}

impl HashReader for TileSet {
    type Error = TileSetError;

    fn hash(&self, subtree: Subtree) -> Result<Hash, TileSetError> {
        let tile = tile_of(subtree, self.size);
        let rows = subtree.level % TILE_LEVELS;
        let first = ((subtree.index << rows) % TILE_WIDTH) as usize;
        let hashes = self.tiles.get(&tile).and_then(|hashes| hashes.get(first..first + (1 << rows)));
        Ok(complete_root(hashes.ok_or(TileSetError::Missing(tile))?))
    }
}

/// The root over a power of two of hashes.
fn complete_root(hashes: &[Hash]) -> Hash {
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => node_hash(left, right),
                other => other.first().copied().unwrap_or_else(Hash::empty_root),
            })
            .collect();
    }
    level.first().copied().unwrap_or_else(Hash::empty_root)
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GrowError {
    #[error("the tile {0} at the edge is missing")]
    MissingEdge(Tile),
    #[error(transparent)]
    Tile(#[from] TileError),
    #[error(transparent)]
    Frontier(#[from] FrontierError),
}

/// The right edge of a growing log's hash tiles. Push leaf hashes, take what has to be written, in constant memory.
#[derive(Debug, Clone, Default)]
pub struct TileWriter {
    size: u64,
    /// For each tile level, the hashes of the tile that is not full yet.
    edge: Vec<Vec<Hash>>,
    /// Tiles that became full and were not taken yet.
    full: Vec<(Tile, Vec<u8>)>,
}

impl TileWriter {
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on at `size`; `load` gives the file of each tile of [`edge`] (its own width, or cut from a larger one).
    pub fn resume(size: u64, mut load: impl FnMut(Tile) -> Option<Vec<u8>>) -> Result<Self, GrowError> {
        let mut writer = Self { size, ..Self::default() };
        for tile in edge(size) {
            let bytes = load(tile).ok_or(GrowError::MissingEdge(tile))?;
            let hashes = decode_tile(tile, &bytes)?;
            if let Kind::Hashes { level } = tile.kind {
                writer.edge.resize(usize::from(level) + 1, Vec::new());
                if let Some(row) = writer.edge.get_mut(usize::from(level)) {
                    *row = hashes;
                }
            }
        }
        Ok(writer)
    }

    pub const fn size(&self) -> u64 {
        self.size
    }

    pub fn push(&mut self, leaf: Hash) {
        self.size += 1;
        let mut hash = leaf;
        for level in 0.. {
            if self.edge.len() <= level {
                self.edge.push(Vec::new());
            }
            let Some(row) = self.edge.get_mut(level) else { return };
            row.push(hash);
            if row.len() < TILE_WIDTH as usize {
                return;
            }
            let hashes = std::mem::take(row);
            let level = level as u8;
            let index = (self.size >> (TILE_LEVELS * (level + 1))) - 1;
            let tile = Tile { kind: Kind::Hashes { level }, index, width: TILE_WIDTH as u16 };
            self.full.push((tile, encode_tile(&hashes)));
            hash = complete_root(&hashes);
        }
    }

    /// The tiles that became full since they were last taken, in the order to write them.
    pub fn take_full(&mut self) -> Vec<(Tile, Vec<u8>)> {
        std::mem::take(&mut self.full)
    }

    /// The partial tiles that a checkpoint at the present size needs, those of higher levels that did not grow included.
    pub fn partial(&self) -> Vec<(Tile, Vec<u8>)> {
        let files = edge(self.size).into_iter();
        files
            .filter_map(|tile| {
                let Kind::Hashes { level } = tile.kind else { return None };
                Some((tile, encode_tile(self.edge.get(usize::from(level))?)))
            })
            .collect()
    }

    pub fn frontier(&self) -> Frontier {
        // A row of w hashes consists of the complete subtrees that the bits of w name, largest first.
        let mut roots = Vec::new();
        for row in self.edge.iter().rev() {
            let mut at = 0;
            for bit in (0..TILE_LEVELS).rev().map(|bit| 1 << bit).filter(|bit| row.len() & bit != 0) {
                roots.extend(row.get(at..at + bit).map(complete_root));
                at += bit;
            }
        }
        Frontier::from_roots(self.size, roots).unwrap_or_default()
    }

    pub fn root(&self) -> Hash {
        self.frontier().root()
    }
}
