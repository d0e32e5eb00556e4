//! The files of a stopped nats-server, as an attacker with access to its disk sees them: records of one stream, found and
//! changed, with checksums that fit again where wished.
//!
//! A record of `msgs/<n>.blk` (nats-server 2.15, filestore.go): length (4 bytes, the highest bit says that there are
//! headers), sequence (8), time in nanoseconds (8), length of the subject (2), all little endian; subject; with headers
//! their length (4) and they; payload; 8 bytes of HighwayHash under SHA-256("<stream>-<n>").

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use highway::{HighwayHash as _, HighwayHasher, Key};
use sha2::{Digest as _, Sha256};

const HEADER_BYTES: usize = 22;
const SUM_BYTES: usize = 8;
const HAS_HEADERS: u32 = 1 << 31;

/// The stored messages of one stream.
pub struct FileStore {
    directory: PathBuf,
    stream: String,
}

/// Where one message is.
#[derive(Debug, Clone)]
pub struct Place {
    file: PathBuf,
    block: u32,
    record: Range<usize>,
    headers: Range<usize>,
    payload: Range<usize>,
}

impl FileStore {
    /// `store` is the server's store directory.
    pub fn of(store: &Path, stream: &str) -> Self {
        let directory = store.join("jetstream/$G/streams").join(stream);
        Self { directory, stream: stream.to_owned() }
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Finds a message by its sequence.
    pub fn find(&self, sequence: u64) -> Result<Place> {
        for entry in fs::read_dir(self.directory.join("msgs"))? {
            let file = entry?.path();
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let Some(block) = name.strip_suffix(".blk").and_then(|digits| digits.parse().ok()) else { continue };
            let bytes = fs::read(&file)?;
            let found = records(&bytes)?.into_iter().find(|(found, _)| *found == sequence);
            if let Some((_, record)) = found {
                return place(&bytes, file, block, record);
            }
        }
        anyhow::bail!("no message {sequence} in {}", self.directory.display())
    }

    /// Changes a message's payload in place, and nothing else: the server finds that its checksum is wrong.
    pub fn edit_payload(&self, sequence: u64, change: impl FnOnce(&mut [u8])) -> Result<()> {
        let place = self.find(sequence)?;
        let mut bytes = fs::read(&place.file)?;
        change(&mut bytes[place.payload.clone()]);
        Ok(fs::write(&place.file, bytes)?)
    }

    /// Changes a message with a checksum that fits: the server takes it for what it always was.
    pub fn forge(&self, sequence: u64, change: impl FnOnce(Parts<'_>)) -> Result<()> {
        let place = self.find(sequence)?;
        let mut bytes = fs::read(&place.file)?;
        {
            let record = &mut bytes[place.record.clone()];
            let start = place.record.start;
            let within = |range: &Range<usize>| range.start - start..range.end - start;
            let (head, tail) = record.split_at_mut(within(&place.payload).start);
            let payload = &mut tail[..place.payload.len()];
            let (front, headers) = head.split_at_mut(within(&place.headers).start);
            let subject_end = if place.headers.is_empty() { front.len() } else { front.len() - 4 };
            let (time, subject) = front.split_at_mut(HEADER_BYTES);
            let subject = &mut subject[..subject_end - HEADER_BYTES];
            change(Parts { time: &mut time[12..20], subject, headers: &mut headers[..place.headers.len()], payload });
        }
        self.seal(&mut bytes, &place);
        Ok(fs::write(&place.file, bytes)?)
    }

    /// Exchanges the contents (subject, headers, payload; not sequence and time) of two messages of the same lengths.
    pub fn swap(&self, one: u64, other: u64) -> Result<()> {
        let (a, b) = (self.find(one)?, self.find(other)?);
        ensure!(a.file == b.file && a.record.len() == b.record.len(), "{one} and {other} differ in length");
        let mut bytes = fs::read(&a.file)?;
        for offset in HEADER_BYTES - 2..a.record.len() - SUM_BYTES {
            bytes.swap(a.record.start + offset, b.record.start + offset);
        }
        self.seal(&mut bytes, &a);
        self.seal(&mut bytes, &b);
        Ok(fs::write(&a.file, bytes)?)
    }

    /// Cuts the newest block off before this message.
    pub fn truncate_before(&self, sequence: u64) -> Result<()> {
        let place = self.find(sequence)?;
        let file = fs::OpenOptions::new().write(true).open(&place.file)?;
        file.set_len(place.record.start as u64)?;
        // The server's own summary still counts the messages; without it, it looks at the blocks.
        self.forget_index()
    }

    /// Takes one message out of its block, as if it had never been there.
    pub fn remove(&self, sequence: u64) -> Result<()> {
        let place = self.find(sequence)?;
        let mut bytes = fs::read(&place.file)?;
        bytes.drain(place.record);
        fs::write(&place.file, bytes)?;
        self.forget_index()
    }

    /// Makes the server build its summary anew from the blocks.
    pub fn forget_index(&self) -> Result<()> {
        let index = self.directory.join("msgs/index.db");
        if index.exists() { Ok(fs::remove_file(index)?) } else { Ok(()) }
    }

    fn seal(&self, bytes: &mut [u8], place: &Place) {
        let record = &bytes[place.record.clone()];
        let start = place.record.start;
        let subject_length = usize::from(u16::from_le_bytes([record[20], record[21]]));
        let subject = HEADER_BYTES..HEADER_BYTES + subject_length;
        let rest = if place.headers.is_empty() { place.payload.start } else { place.headers.start } - start;
        let mut hasher = HighwayHasher::new(key(&self.stream, place.block));
        hasher.append(&record[4..20]);
        hasher.append(&record[subject]);
        hasher.append(&record[rest..record.len() - SUM_BYTES]);
        let sum = hasher.finalize64().to_le_bytes();
        bytes[place.record.end - SUM_BYTES..place.record.end].copy_from_slice(&sum);
    }
}

/// What of a message can be changed without moving others.
pub struct Parts<'r> {
    /// Nanoseconds, little endian.
    pub time: &'r mut [u8],
    pub subject: &'r mut [u8],
    pub headers: &'r mut [u8],
    pub payload: &'r mut [u8],
}

fn key(stream: &str, block: u32) -> Key {
    let digest = Sha256::digest(format!("{stream}-{block}").as_bytes());
    let mut words = [0_u64; 4];
    for (word, bytes) in words.iter_mut().zip(digest.chunks_exact(8)) {
        *word = bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    }
    Key(words)
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn records(bytes: &[u8]) -> Result<Vec<(u64, Range<usize>)>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at + HEADER_BYTES <= bytes.len() {
        let length = u32::try_from(number(&bytes[at..at + 4]))? & !HAS_HEADERS;
        let end = at + usize::try_from(length)?;
        ensure!(
            length > 0 && end <= bytes.len(),
            "a record at {at} has the length {length}: not the format that is known"
        );
        found.push((number(&bytes[at + 4..at + 12]), at..end));
        at = end;
    }
    Ok(found)
}

fn place(bytes: &[u8], file: PathBuf, block: u32, record: Range<usize>) -> Result<Place> {
    let at = record.start;
    let has_headers = u32::try_from(number(&bytes[at..at + 4]))? & HAS_HEADERS != 0;
    let subject_end = at + HEADER_BYTES + usize::try_from(number(&bytes[at + 20..at + 22]))?;
    let end = record.end - SUM_BYTES;
    let (headers, payload) = if has_headers {
        let length = usize::try_from(number(&bytes[subject_end..subject_end + 4]))?;
        let start = subject_end + 4;
        (start..start + length, start + length..end)
    } else {
        (subject_end..subject_end, subject_end..end)
    };
    ensure!(payload.start <= payload.end, "not the format that is known");
    let place = Place { file, block, record, headers, payload };
    Ok(place)
}

/// One stream's files, to be put back as they were.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
