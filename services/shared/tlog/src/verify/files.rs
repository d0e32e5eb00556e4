//! The files of a log folder or of a package, wherever they are.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, Cursor},
};

/// Larger files are read as streams; nothing that is read whole is near this.
const MAX_WHOLE_BYTES: u64 = 64 << 20;

/// Read access by path: a folder, an archive, an object store, memory.
pub trait Files {
    /// None when there is no such file.
    fn open(&self, path: &str) -> io::Result<Option<Box<dyn BufRead + '_>>>;

    /// All paths, sorted, with `/` between folders.
    fn paths(&self) -> io::Result<Vec<String>>;

    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = self.open(path)? else { return Ok(None) };
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(file, MAX_WHOLE_BYTES + 1), &mut bytes)?;
        if bytes.len() as u64 > MAX_WHOLE_BYTES {
            return Err(io::Error::other(format!("more than {MAX_WHOLE_BYTES} bytes")));
        }
        Ok(Some(bytes))
    }
}

#[derive(Debug, Clone, Default)]
pub struct MemoryFiles(pub BTreeMap<String, Vec<u8>>);

impl Files for MemoryFiles {
    fn open(&self, path: &str) -> io::Result<Option<Box<dyn BufRead + '_>>> {
        Ok(self.0.get(path).map(|bytes| Box::new(Cursor::new(bytes.as_slice())) as Box<dyn BufRead>))
    }

    fn paths(&self) -> io::Result<Vec<String>> {
        Ok(self.0.keys().cloned().collect())
    }
}
