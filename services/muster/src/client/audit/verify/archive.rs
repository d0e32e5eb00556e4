//! A package on this machine: a folder, or an archive that is read in place.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom},
    path::{Component, Path, PathBuf},
};

use muster_tlog::verify::Files;

/// Files of a package lie at most so deep (`tile/0/x001/x234/000.p/1`).
const MAX_DEPTH: usize = 12;
/// Names the top of a package or of a log.
const TOP: &str = "checkpoint";

/// A package with a folder around it is the package.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn Files>> {
    if path.is_dir() { Ok(Box::new(Folder::new(path))) } else { Ok(Box::new(Archive::open(path)?)) }
}

struct Folder(PathBuf);

impl Folder {
    fn new(path: &Path) -> Self {
        if path.join(TOP).is_file() {
            return Self(path.to_owned());
        }
        let entries = std::fs::read_dir(path).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
        let mut inside: Vec<PathBuf> = entries.filter(|path| path.join(TOP).is_file()).collect();
        match (inside.pop(), inside.is_empty()) {
            (Some(only), true) => Self(only),
            _ => Self(path.to_owned()),
        }
    }
}

impl Files for Folder {
    fn open(&self, path: &str) -> io::Result<Option<Box<dyn BufRead + '_>>> {
        let relative = Path::new(path);
        // A manifest must not lead out of its package.
        if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
            return Ok(None);
        }
        let full = self.0.join(relative);
        if !full.is_file() {
            return Ok(None);
        }
        Ok(Some(Box::new(BufReader::with_capacity(1 << 16, File::open(full)?))))
    }

    fn paths(&self) -> io::Result<Vec<String>> {
        let mut found = Vec::new();
        collect(&self.0, &self.0, 0, &mut found)?;
        found.sort();
        Ok(found)
    }
}

fn collect(root: &Path, folder: &Path, depth: usize, found: &mut Vec<String>) -> io::Result<()> {
    if depth > MAX_DEPTH {
        return Err(io::Error::other(format!("{} is deeper than a package", folder.display())));
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, depth + 1, found)?;
        } else if let Ok(relative) = path.strip_prefix(root) {
            found.push(relative.to_string_lossy().into_owned());
        }
    }
    Ok(())
}

/// Where each file of an archive begins, and its length.
struct Archive {
    path: PathBuf,
    files: BTreeMap<String, (u64, u64)>,
}

impl Archive {
    fn open(path: &Path) -> io::Result<Self> {
        let mut archive = tar::Archive::new(File::open(path)?);
        let mut files = BTreeMap::new();
        for entry in archive.entries_with_seek()? {
            let entry = entry?;
            if entry.header().entry_type().is_file() {
                let name = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
                files.insert(name, (entry.raw_file_position(), entry.size()));
            }
        }
        let top =
            files.keys().find_map(|name| name.strip_suffix(TOP).filter(|top| top.ends_with('/'))).map(str::to_owned);
        if let Some(top) = top.filter(|_| !files.contains_key(TOP)) {
            let inside = files.into_iter().filter_map(|(name, at)| Some((name.strip_prefix(&top)?.to_owned(), at)));
            files = inside.collect();
        }
        Ok(Self { path: path.to_owned(), files })
    }
}

impl Files for Archive {
    fn open(&self, path: &str) -> io::Result<Option<Box<dyn BufRead + '_>>> {
        let Some((position, length)) = self.files.get(path) else { return Ok(None) };
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(*position))?;
        Ok(Some(Box::new(BufReader::with_capacity(1 << 16, file.take(*length)))))
    }

    fn paths(&self) -> io::Result<Vec<String>> {
        Ok(self.files.keys().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    fn vectors() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testing/vectors/tlog")
    }

    fn everything(files: &dyn Files) -> Vec<(String, Vec<u8>)> {
        let read = |path: String| (path.clone(), files.read(&path).unwrap().unwrap());
        files.paths().unwrap().into_iter().map(read).collect()
    }

    #[test]
    fn an_archive_reads_like_the_folder_with_or_without_a_folder_around_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = everything(&*open(&vectors()).unwrap());
        assert!(folder.len() > 30 && folder.iter().any(|(path, _)| path == "tile/0/000.p/22"));
        for (name, top) in [("plain.tar", ""), ("around.tar", "evidence-acme")] {
            let path = place.path().join(name);
            let mut builder = tar::Builder::new(File::create(&path).unwrap());
            builder.append_dir_all(if top.is_empty() { "." } else { top }, vectors()).unwrap();
            builder.finish().unwrap();
            assert_eq!(everything(&*open(&path).unwrap()), folder, "{name}");
        }
        assert_eq!(everything(&*open(&vectors().join("..")).unwrap()), folder);
        assert!(open(&vectors().join("checkpoint")).is_err(), "not an archive");
    }

    #[test]
    fn no_path_leads_out_of_a_folder() {
        let files = Folder::new(&vectors().join("tile"));
        for path in ["../checkpoint", "/etc/hostname", "0/../../checkpoint"] {
            assert!(files.read(path).unwrap().is_none(), "{path}");
        }
        assert!(files.read("0/000.p/22").unwrap().is_some());
    }
}
