//! Where the files of a package go: each in pieces to the caller, each into the manifest with its size and digest.

use std::io::{BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};

use muster_domain::pb::audit::v1::ExportPackageResponse;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tonic::Status;

use super::{PackageError, dsse::hex};

/// Well below the limit of a message, and large enough that a piece costs little.
const PIECE: usize = 256 * 1024;

/// A file's size and digest, once it is complete.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) sha256: String,
}

pub(crate) struct Sink {
    to: mpsc::Sender<Result<ExportPackageResponse, Status>>,
    /// The lines of the manifest: on disk, as a package can have hundreds of thousands of files.
    lines: BufWriter<std::fs::File>,
    files: u32,
    open: Option<Open>,
}

struct Open {
    path: String,
    /// Empty after the first piece: the path is told once.
    untold: String,
    buffer: Vec<u8>,
    digest: Sha256,
    size: u64,
}

impl Sink {
    pub(crate) fn new(to: mpsc::Sender<Result<ExportPackageResponse, Status>>) -> Result<Self, PackageError> {
        Ok(Self { to, lines: BufWriter::new(tempfile::tempfile()?), files: 0, open: None })
    }

    /// Begins the next file; the one before must be ended.
    pub(crate) fn begin(&mut self, path: &str) {
        let (path, untold) = (path.to_owned(), path.to_owned());
        self.open = Some(Open { path, untold, buffer: Vec::new(), digest: Sha256::new(), size: 0 });
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), PackageError> {
        let Some(open) = &mut self.open else { return Err(PackageError::NoFile) };
        open.digest.update(bytes);
        open.size += bytes.len() as u64;
        open.buffer.extend_from_slice(bytes);
        if open.buffer.len() < PIECE {
            return Ok(());
        }
        for chunk in std::mem::take(&mut open.buffer).chunks(PIECE) {
            let piece =
                ExportPackageResponse { path: std::mem::take(&mut open.untold), chunk: chunk.to_vec(), files: 0 };
            send(&self.to, piece).await?;
        }
        Ok(())
    }

    /// Ends the file and enters it in the manifest.
    pub(crate) async fn end(&mut self) -> Result<Written, PackageError> {
        let (path, size, sha256) = self.finish().await?;
        let line = serde_json::json!({ "path": path, "size": size, "sha256": sha256 });
        let comma = if self.files == 1 { "" } else { ",\n" };
        write!(self.lines, "{comma}    {line}")?;
        Ok(Written { sha256 })
    }

    /// Sends what is left of the file.
    async fn finish(&mut self) -> Result<(String, u64, String), PackageError> {
        let open = self.open.take().ok_or(PackageError::NoFile)?;
        if !open.buffer.is_empty() || !open.untold.is_empty() {
            send(&self.to, ExportPackageResponse { path: open.untold, chunk: open.buffer, files: 0 }).await?;
        }
        self.files += 1;
        Ok((open.path, open.size, hex(&open.digest.finalize())))
    }

    pub(crate) async fn file(&mut self, path: &str, bytes: &[u8]) -> Result<Written, PackageError> {
        self.begin(path);
        self.write(bytes).await?;
        self.end().await
    }

    /// The manifest: what it says about the package, then every file so far. The last but one file, so that a package that
    /// was cut off has none.
    pub(crate) async fn manifest(&mut self, path: &str, about: &serde_json::Value) -> Result<Written, PackageError> {
        self.lines.flush()?;
        let mut lines = self.lines.get_ref().try_clone()?;
        lines.seek(SeekFrom::Start(0))?;
        let mut lines = BufReader::new(lines);
        let head = serde_json::to_string_pretty(about)?;
        self.begin(path);
        self.write(head.trim_end_matches(['\n', '}']).as_bytes()).await?;
        self.write(b",\n  \"files\": [\n").await?;
        let mut piece = vec![0; PIECE];
        loop {
            let read = lines.read(&mut piece)?;
            let Some(some) = piece.get(..read).filter(|some| !some.is_empty()) else { break };
            self.write(some).await?;
        }
        self.write(b"\n  ]\n}\n").await?;
        let (_, _, sha256) = self.finish().await?;
        Ok(Written { sha256 })
    }

    /// The signature of the manifest: the last file, and in no manifest.
    pub(crate) async fn last(&mut self, path: &str, bytes: &[u8]) -> Result<(), PackageError> {
        self.begin(path);
        self.write(bytes).await?;
        self.finish().await.map(drop)
    }

    /// Tells the caller that this was all.
    pub(crate) async fn close(self) -> Result<(), PackageError> {
        let last = ExportPackageResponse { path: String::new(), chunk: Vec::new(), files: self.files };
        send(&self.to, last).await
    }
}

async fn send(
    to: &mpsc::Sender<Result<ExportPackageResponse, Status>>,
    piece: ExportPackageResponse,
) -> Result<(), PackageError> {
    to.send(Ok(piece)).await.map_err(|_| PackageError::Abandoned)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[tokio::test]
    async fn files_come_in_pieces_and_the_manifest_names_them() {
        let (to, mut from) = mpsc::channel(64);
        let mut sink = Sink::new(to).unwrap();
        let large = vec![7; 2 * PIECE + 5];
        sink.file("empty", b"").await.unwrap();
        sink.begin("large");
        for part in large.chunks(100_000) {
            sink.write(part).await.unwrap();
        }
        sink.end().await.unwrap();
        sink.manifest("manifest.json", &serde_json::json!({ "format": "x", "events": { "a": 1 } })).await.unwrap();
        sink.close().await.unwrap();

        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        let mut told = 0;
        while let Some(piece) = from.recv().await {
            let piece = piece.unwrap();
            assert!(piece.chunk.len() <= PIECE);
            told = piece.files;
            if piece.files > 0 {
                break;
            }
            if !piece.path.is_empty() {
                files.push((piece.path, Vec::new()));
            }
            files.last_mut().unwrap().1.extend(piece.chunk);
        }
        assert_eq!(told, 3);
        assert_eq!(
            files.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(),
            ["empty", "large", "manifest.json"]
        );
        assert_eq!(files[1].1, large);
        let manifest: serde_json::Value = serde_json::from_slice(&files[2].1).unwrap();
        assert_eq!(manifest["events"]["a"], 1);
        assert_eq!(manifest["files"][1]["sha256"], hex(&Sha256::digest(&large)));
        assert_eq!(manifest["files"][1]["size"], large.len());
    }
}
