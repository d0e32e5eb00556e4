//! What was cosigned: one table (origin, size, root), as lines that are only appended. A line is on disk before the answer
//! leaves; one that a crash cut off was never answered for, and is dropped at the next start.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use muster_tlog::Hash;
use nix::fcntl::{Flock, FlockArg};

use crate::{error::StartError, key::sync_directory};

const HEADER: &str = "muster-witness-state/v1";
const OWNER_ONLY: u32 = 0o600;
/// Against lines that were cut or mixed up; nobody's forgery is kept out by it.
const CHECK_DIGITS: usize = 16;
/// Then the file is written anew with one line for each log: some 15 MB.
const COMPACT_AT_LINES: usize = 100_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) size: u64,
    pub(crate) root: Hash,
}

#[derive(Debug)]
pub(crate) struct Memory {
    path: PathBuf,
    file: File,
    table: BTreeMap<String, Seen>,
    lines: usize,
    /// After a failed write nobody knows what is on disk: nothing is cosigned until the next start has looked.
    failed: bool,
    _lock: Flock<File>,
}

impl Memory {
    /// Opens it, or makes an empty one.
    pub(crate) fn open(path: &Path) -> Result<Self, StartError> {
        let lock = lock(path)?;
        if !path.exists() {
            write_whole(path, &BTreeMap::new()).map_err(StartError::file(path))?;
        }
        let bytes = fs::read(path).map_err(StartError::file(path))?;
        let (table, lines, whole) =
            parse(&bytes).map_err(|line| StartError::Damaged { state: path.to_owned(), line })?;
        let open = || {
            let file = OpenOptions::new().append(true).open(path)?;
            file.set_len(whole)?;
            file.sync_all()?;
            Ok(file)
        };
        let file = open().map_err(StartError::file(path))?;
        Ok(Self { path: path.to_owned(), file, table, lines, failed: false, _lock: lock })
    }

    pub(crate) fn seen(&self, origin: &str) -> Option<Seen> {
        self.table.get(origin).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// The origins that begin so, in order.
    pub(crate) fn beginning<'m>(&'m self, with: &'m str) -> impl Iterator<Item = &'m str> {
        self.table.range(with.to_owned()..).map(|(origin, _)| origin.as_str()).take_while(move |o| o.starts_with(with))
    }

    /// Remembers it for good. After an error nothing more is remembered.
    pub(crate) fn remember(&mut self, origin: &str, seen: Seen) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("an earlier write failed; the witness must be started again"));
        }
        self.failed = true;
        self.file.write_all(line(origin, seen).as_bytes())?;
        self.file.sync_data()?;
        self.table.insert(origin.to_owned(), seen);
        self.lines += 1;
        if self.lines >= COMPACT_AT_LINES && self.lines > 4 * self.table.len() {
            write_whole(&self.path, &self.table)?;
            self.file = OpenOptions::new().append(true).open(&self.path)?;
            self.lines = self.table.len();
        }
        self.failed = false;
        Ok(())
    }
}

/// Beside the file, which is replaced now and then.
fn lock(path: &Path) -> Result<Flock<File>, StartError> {
    let beside = path.with_extension("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(OWNER_ONLY).open(&beside);
    let file = file.map_err(StartError::file(&beside))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| StartError::InUse(path.to_owned()))
}

fn line(origin: &str, seen: Seen) -> String {
    let text = format!("{origin} {} {}", seen.size, seen.root.to_base64());
    format!("{text} {}\n", check(&text))
}

fn check(text: &str) -> String {
    Hash::of(text.as_bytes()).to_hex().chars().take(CHECK_DIGITS).collect()
}

fn write_whole(path: &Path, table: &BTreeMap<String, Seen>) -> io::Result<()> {
    let scratch = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(OWNER_ONLY).open(&scratch)?;
    let lines: String = table.iter().map(|(origin, seen)| line(origin, *seen)).collect();
    file.write_all(format!("{HEADER}\n{lines}").as_bytes())?;
    file.sync_all()?;
    fs::rename(&scratch, path)?;
    sync_directory(path)
}

type Parsed = (BTreeMap<String, Seen>, usize, u64);

/// The table, how many lines it took, and how many bytes are whole lines. An error is the number of a line that is wrong.
fn parse(bytes: &[u8]) -> Result<Parsed, usize> {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let text = bytes.get(..whole).and_then(|bytes| str::from_utf8(bytes).ok()).ok_or(1_usize)?;
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return Err(1);
    }
    let (mut table, mut count) = (BTreeMap::<String, Seen>::new(), 0);
    for (index, line) in lines.enumerate() {
        let (origin, seen) = parse_line(line).ok_or(index + 2)?;
        if table.get(origin).is_some_and(|before| before.size > seen.size) {
            return Err(index + 2);
        }
        table.insert(origin.to_owned(), seen);
        count += 1;
    }
    Ok((table, count, whole as u64))
}

fn parse_line(line: &str) -> Option<(&str, Seen)> {
    let (text, sum) = line.rsplit_once(' ')?;
    let (rest, root) = text.rsplit_once(' ')?;
    let (origin, size) = rest.rsplit_once(' ')?;
    let seen = Seen { size: size.parse().ok()?, root: Hash::from_base64(root)? };
    (check(text) == sum).then_some((origin, seen))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use proptest::prelude::*;

    use super::*;

    fn seen(size: u64) -> Seen {
        Seen { size, root: Hash::of(&size.to_be_bytes()) }
    }

    #[test]
    fn what_was_remembered_is_there_after_a_restart_and_for_one_process_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("witness.state");
        let mut memory = Memory::open(&path).unwrap();
        assert_eq!(memory.len(), 0);
        memory.remember("a/1", seen(3)).unwrap();
        memory.remember("b/1", seen(9)).unwrap();
        memory.remember("a/1", seen(4)).unwrap();
        assert!(matches!(Memory::open(&path), Err(StartError::InUse(_))));
        drop(memory);
        let memory = Memory::open(&path).unwrap();
        assert_eq!((memory.seen("a/1"), memory.seen("b/1"), memory.seen("c/1")), (Some(seen(4)), Some(seen(9)), None));
        assert_eq!(memory.beginning("a/").collect::<Vec<_>>(), ["a/1"]);
    }

    proptest! {
        /// Killed in the middle of a write: every line before is there, and writing goes on.
        #[test]
        fn a_line_that_was_cut_off_is_dropped(cut in 1_usize..60) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("witness.state");
            let mut memory = Memory::open(&path).unwrap();
            memory.remember("a/1", seen(3)).unwrap();
            let before = fs::metadata(&path).unwrap().len();
            memory.remember("a/1", seen(4)).unwrap();
            drop(memory);
            let after = fs::metadata(&path).unwrap().len();
            let end = after.saturating_sub(cut as u64).max(before);
            OpenOptions::new().write(true).open(&path).unwrap().set_len(end).unwrap();
            let mut memory = Memory::open(&path).unwrap();
            prop_assert_eq!(memory.seen("a/1"), Some(seen(3)));
            memory.remember("a/1", seen(5)).unwrap();
            drop(memory);
            prop_assert_eq!(Memory::open(&path).unwrap().seen("a/1"), Some(seen(5)));
        }

        /// A changed byte is never read as another size or root.
        #[test]
        fn a_changed_byte_is_damage(at in 0_usize..1000, bit in 0_u32..8) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("witness.state");
            let mut memory = Memory::open(&path).unwrap();
            memory.remember("a/1", seen(3)).unwrap();
            memory.remember("b/1", seen(4)).unwrap();
            drop(memory);
            let mut bytes = fs::read(&path).unwrap();
            // The last line break is where a cut-off line would begin.
            let at = at % (bytes.len() - 1);
            bytes[at] ^= 1 << bit;
            fs::write(&path, &bytes).unwrap();
            let is_damaged = matches!(Memory::open(&path), Err(StartError::Damaged { .. }));
            prop_assert!(is_damaged, "byte {} bit {}", at, bit);
        }
    }

    #[test]
    fn a_long_file_is_written_anew_with_the_same_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("witness.state");
        let mut memory = Memory::open(&path).unwrap();
        memory.remember("a/1", seen(3)).unwrap();
        memory.lines = COMPACT_AT_LINES;
        memory.remember("a/1", seen(4)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
        memory.remember("a/1", seen(5)).unwrap();
        drop(memory);
        assert_eq!(Memory::open(&path).unwrap().seen("a/1"), Some(seen(5)));
    }
}
