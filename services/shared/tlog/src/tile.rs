//! Tiles and entry bundles (C2SP tlog-tiles): which there are, what they are called, and which the growth of a log writes.

use std::{collections::BTreeSet, fmt, str::FromStr};

use thiserror::Error;

use crate::tree::Subtree;

/// A full tile holds 2^8 hashes.
pub const TILE_LEVELS: u8 = 8;
pub const TILE_WIDTH: u64 = 256;
/// 256^8 leaves are more than a 64-bit size counts.
const MAX_LEVEL: u8 = 7;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Hashes of complete subtrees of 256^level leaves.
    Hashes { level: u8 },
    /// The leaves themselves.
    Entries,
}

/// The name of one tile. `width` is 256 for a full one, 1 to 255 for a partial one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    pub kind: Kind,
    pub index: u64,
    pub width: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TileError {
    #[error("'{0}' is not the path of a tile")]
    Path(String),
    #[error("the tile {tile} has {found} bytes, and {expected} are expected")]
    Length { tile: Tile, expected: usize, found: usize },
}

impl Tile {
    pub const fn is_full(&self) -> bool {
        self.width as u64 == TILE_WIDTH
    }

    /// The first leaf, or the first subtree, that it holds.
    pub const fn start(&self) -> u64 {
        self.index * TILE_WIDTH
    }

    /// The file below a log's folder: `tile/0/x001/234.p/56`.
    pub fn path(&self) -> String {
        let kind = match self.kind {
            Kind::Hashes { level } => level.to_string(),
            Kind::Entries => "entries".to_owned(),
        };
        let mut groups = vec![format!("{:03}", self.index % 1000)];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(format!("x{:03}", rest % 1000));
            rest /= 1000;
        }
        groups.reverse();
        let partial = if self.is_full() { String::new() } else { format!(".p/{}", self.width) };
        format!("tile/{kind}/{}{partial}", groups.join("/"))
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

impl FromStr for Tile {
    type Err = TileError;

    /// Strict: a tile has one path.
    fn from_str(path: &str) -> Result<Self, TileError> {
        parse(path).filter(|tile| tile.path() == path).ok_or_else(|| TileError::Path(path.chars().take(120).collect()))
    }
}

fn parse(path: &str) -> Option<Tile> {
    let (kind, rest) = path.strip_prefix("tile/")?.split_once('/')?;
    let kind = match kind {
        "entries" => Kind::Entries,
        level => Kind::Hashes { level: level.parse().ok().filter(|level| *level <= MAX_LEVEL)? },
    };
    let (index, width) = match rest.split_once(".p/") {
        Some((index, width)) => (index, width.parse().ok().filter(|width| (1..TILE_WIDTH as u16).contains(width))?),
        None => (rest, TILE_WIDTH as u16),
    };
    let digits = index.split('/').map(|group| group.strip_prefix('x').unwrap_or(group));
    let index = digits.collect::<String>().parse().ok()?;
    Some(Tile { kind, index, width })
}

/// How many hashes there are at this tile level of a tree of `size` leaves.
const fn hashes_at(level: u8, size: u64) -> u64 {
    if level > MAX_LEVEL { 0 } else { size >> (level * TILE_LEVELS) }
}

fn tile_at(kind: Kind, index: u64, hashes: u64) -> Tile {
    let width = hashes.saturating_sub(index * TILE_WIDTH).min(TILE_WIDTH);
    Tile { kind, index, width: width as u16 }
}

/// The entry bundle that holds this leaf, in a log of `size` leaves.
pub fn bundle_of(leaf: u64, size: u64) -> Tile {
    tile_at(Kind::Entries, leaf / TILE_WIDTH, size)
}

/// All entry bundles of a log of `size` leaves, in order.
pub fn bundles(size: u64) -> impl Iterator<Item = Tile> {
    (0..size.div_ceil(TILE_WIDTH)).map(move |index| tile_at(Kind::Entries, index, size))
}

/// The hash tile from which this subtree's hash can be computed, in a log of `size` leaves.
pub fn tile_of(subtree: Subtree, size: u64) -> Tile {
    let level = subtree.level / TILE_LEVELS;
    let first = subtree.index << (subtree.level % TILE_LEVELS);
    tile_at(Kind::Hashes { level }, first / TILE_WIDTH, hashes_at(level, size))
}

/// The hash tiles to fetch before proofs over these subtrees can be made.
pub fn tiles_of(subtrees: &[Subtree], size: u64) -> BTreeSet<Tile> {
    subtrees.iter().map(|subtree| tile_of(*subtree, size)).collect()
}

/// The hash tiles at the right edge of a log of `size` leaves that are not full: what a writer loads to go on.
pub fn edge(size: u64) -> Vec<Tile> {
    (0..=MAX_LEVEL)
        .filter_map(|level| {
            let hashes = hashes_at(level, size);
            (!hashes.is_multiple_of(TILE_WIDTH)).then(|| tile_at(Kind::Hashes { level }, hashes / TILE_WIDTH, hashes))
        })
        .collect()
}

/// Every tile and entry bundle that a checkpoint at `new` needs and one at `old` did not have: entries first, then hashes
/// from the leaves up.
pub fn grown(old: u64, new: u64) -> Vec<Tile> {
    let kinds = std::iter::once((Kind::Entries, 0)).chain((0..=MAX_LEVEL).map(|level| (Kind::Hashes { level }, level)));
    kinds
        .flat_map(|(kind, level)| {
            let (from, to) = (hashes_at(level, old), hashes_at(level, new));
            let end = if from < to { to.div_ceil(TILE_WIDTH) } else { 0 };
            (from / TILE_WIDTH..end).map(move |index| tile_at(kind, index, to))
        })
        .collect()
}
