//! The hash tiles of a log against the hashes of its leaves. A tile keeps the hash of each leaf as it was logged: when the
//! tiles still lead to the signed root and the leaves do not, the tiles name the events that were edited.

use std::io;

use super::{super::Files, Checkpoint, Finding, Findings, Walked};
use crate::{
    hash::Hash,
    tile::{Kind, TILE_WIDTH, Tile},
    tile_set::{TileWriter, decode_tile},
    tree::Frontier,
};

/// A leaf whose hash the tile does not have.
struct Differs {
    tile: Tile,
    index: u64,
    event: String,
    logged: Hash,
    found: Hash,
}

pub(super) struct TileComparison<'a> {
    files: &'a dyn Files,
    /// Whether there are hash tiles at all: a package may come with its leaves only.
    present: bool,
    size: u64,
    /// What the leaves give.
    writer: TileWriter,
    /// What the tiles of leaf hashes lead to.
    logged: Frontier,
    /// Names of the leaves since the last full tile.
    names: Vec<String>,
    differs: Vec<Differs>,
    /// Tiles above the leaves' that do not hold what the leaves give.
    above: Vec<Tile>,
    compared: u64,
}

impl<'a> TileComparison<'a> {
    pub(super) fn new(files: &'a dyn Files, size: u64) -> io::Result<Self> {
        let width = size.min(TILE_WIDTH) as u16;
        let first = Tile { kind: Kind::Hashes { level: 0 }, index: 0, width };
        let present = size > 0 && files.open(&first.path())?.is_some();
        Ok(Self {
            files,
            present,
            size,
            writer: TileWriter::new(),
            logged: Frontier::new(),
            names: Vec::new(),
            differs: Vec::new(),
            above: Vec::new(),
            compared: 0,
        })
    }

    pub(super) fn leaf(&mut self, walked: &Walked, findings: &mut Findings) -> io::Result<()> {
        if !self.present || self.writer.size() == self.size {
            return Ok(());
        }
        self.writer.push(walked.hash);
        self.names.push(walked.name());
        for (tile, bytes) in self.writer.take_full() {
            self.compare(tile, &bytes, findings)?;
        }
        Ok(())
    }

    /// How many tiles were compared. Says which leaves were edited, or which tiles were.
    pub(super) fn finish(mut self, newest: &Checkpoint, leaves_root: Hash, findings: &mut Findings) -> io::Result<u64> {
        if !self.present {
            return Ok(0);
        }
        // With another number of leaves there are other partial tiles; that finding is made elsewhere.
        if self.writer.size() == self.size {
            for (tile, bytes) in self.writer.partial() {
                self.compare(tile, &bytes, findings)?;
            }
        }
        let tiles_are_right = self.logged.size() == newest.size && self.logged.root() == newest.root;
        let leaves_are_right = leaves_root == newest.root;
        for Differs { tile, index, event, logged, found } in self.differs {
            findings.push(if tiles_are_right || !leaves_are_right {
                Finding::LeafEdited { index, event, logged, found }
            } else {
                let path = tile.path();
                Finding::Tile { path, problem: format!("it has {logged} for {event}, whose leaf gives {found}") }
            });
        }
        // With edited leaves everything above differs too; that says nothing new.
        if leaves_are_right {
            let problem = "it does not hold what the leaves below it give";
            let files = self.above.iter().map(|tile| Finding::Tile { path: tile.path(), problem: problem.to_owned() });
            files.for_each(|finding| findings.push(finding));
        }
        Ok(self.compared)
    }

    fn compare(&mut self, tile: Tile, expected: &[u8], findings: &mut Findings) -> io::Result<()> {
        self.compared += 1;
        let Some(bytes) = self.files.read(&tile.path())? else {
            findings.push(Finding::Tile { path: tile.path(), problem: "there is none".to_owned() });
            return Ok(());
        };
        if tile.kind != (Kind::Hashes { level: 0 }) {
            if bytes != expected {
                self.above.push(tile);
            }
            return Ok(());
        }
        let names = std::mem::take(&mut self.names);
        match (decode_tile(tile, &bytes), decode_tile(tile, expected)) {
            (Ok(logged), Ok(found)) => {
                let places = (tile.start()..).zip(names).zip(logged.iter().zip(&found));
                let differing = places.filter(|(_, (logged, found))| logged != found);
                self.differs.extend(differing.map(|((index, event), (logged, found))| Differs {
                    tile,
                    index,
                    event,
                    logged: *logged,
                    found: *found,
                }));
                self.logged.extend(logged);
            }
            (Err(error), _) | (_, Err(error)) => {
                findings.push(Finding::Tile { path: tile.path(), problem: error.to_string() });
            }
        }
        Ok(())
    }
}
