//! The leaves of a log in order, from its entry bundles or from `leaves.txt`.

use std::{
    collections::VecDeque,
    io::{self, BufRead, Read},
};

use super::{super::Files, Finding, Findings, LEAVES};
use crate::{
    bundle::decode_bundle,
    leaf::MAX_LEAF_BYTES,
    tile::{Tile, bundles},
};

/// A stored event with its payload; far above what a stream accepts.
const MAX_LINE_BYTES: usize = 32 << 20;

pub(super) struct Lines<'a>(Box<dyn BufRead + 'a>);

pub(super) fn lines<'a>(file: Box<dyn BufRead + 'a>) -> Lines<'a> {
    Lines(file)
}

impl Lines<'_> {
    /// The next line without its line break.
    pub(super) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        self.0.by_ref().take(MAX_LINE_BYTES as u64 + 1).read_until(b'\n', &mut line)?;
        if line.len() > MAX_LINE_BYTES {
            return Err(io::Error::other(format!("a line has more than {MAX_LINE_BYTES} bytes")));
        }
        Ok(match line.pop() {
            None => None,
            Some(b'\n') => Some(line),
            Some(last) => {
                line.push(last);
                Some(line)
            }
        })
    }
}

pub(super) enum LeafSource<'a> {
    Bundles { files: &'a dyn Files, tiles: Box<dyn Iterator<Item = Tile>>, ready: VecDeque<Vec<u8>> },
    Text(Lines<'a>),
}

impl<'a> LeafSource<'a> {
    /// None, with a finding, when there are no leaves at all.
    pub(super) fn open(files: &'a dyn Files, size: u64, findings: &mut Findings) -> io::Result<Option<Self>> {
        let first = bundles(size).next();
        if let Some(first) = first
            && files.open(&first.path())?.is_some()
        {
            return Ok(Some(Self::Bundles { files, tiles: Box::new(bundles(size)), ready: VecDeque::new() }));
        }
        if let Some(file) = files.open(LEAVES)? {
            return Ok(Some(Self::Text(lines(file))));
        }
        if let Some(first) = first {
            findings.push(Finding::File { path: first.path(), problem: "there is none, nor a leaves.txt".to_owned() });
        }
        Ok(None)
    }

    /// The leaves as text, when they are there beside the bundles that are read.
    pub(super) fn beside_bundles(&self, files: &'a dyn Files) -> io::Result<Option<Self>> {
        match self {
            Self::Text(_) => Ok(None),
            Self::Bundles { .. } => Ok(files.open(LEAVES)?.map(|file| Self::Text(lines(file)))),
        }
    }

    pub(super) fn next(&mut self, findings: &mut Findings) -> io::Result<Option<Vec<u8>>> {
        match self {
            Self::Text(lines) => next_text(lines),
            Self::Bundles { files, tiles, ready } => loop {
                if let Some(leaf) = ready.pop_front() {
                    return Ok(Some(leaf));
                }
                let Some(tile) = tiles.next() else { return Ok(None) };
                let problem = match files.read(&tile.path())? {
                    None => "there is none".to_owned(),
                    Some(bytes) => match decode_bundle(&bytes, usize::from(tile.width)) {
                        Ok(leaves) => {
                            ready.extend(leaves.into_iter().map(<[u8]>::to_vec));
                            continue;
                        }
                        Err(error) => error.to_string(),
                    },
                };
                // What follows would be compared with the wrong places.
                findings.push(Finding::File { path: tile.path(), problem });
                return Ok(None);
            },
        }
    }
}

/// Leaves in `leaves.txt` have an empty line between them.
fn next_text(lines: &mut Lines<'_>) -> io::Result<Option<Vec<u8>>> {
    let mut leaf = Vec::new();
    while let Some(line) = lines.next()?.filter(|line| !line.is_empty()) {
        leaf.extend(line);
        leaf.push(b'\n');
        if leaf.len() > MAX_LEAF_BYTES {
            return Err(io::Error::other(format!("a leaf of {LEAVES} has more than {MAX_LEAF_BYTES} bytes")));
        }
    }
    Ok((!leaf.is_empty()).then_some(leaf))
}
