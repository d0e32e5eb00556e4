//! The files of one log.

use bytes::Bytes;
use object_store::{Error, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, UpdateVersion, path::Path};

use crate::{LogStore, StoreError, folder};

/// The files of one log in one epoch. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LogFiles {
    store: LogStore,
    log: String,
}

/// What [`LogFiles::create`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    New,
    /// It was there already, byte for byte.
    Same,
    /// It was there already, with another content, which was kept.
    Different,
}

/// Which content of a file was seen: only who knows the present one may replace it.
#[derive(Debug, Clone, PartialEq)]
pub struct Version(pub(crate) Seen);

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    /// A folder's file: SHA-256 of its content.
    Digest([u8; 32]),
    /// An object's own version.
    Object { e_tag: Option<String>, version: Option<String> },
}

/// A content and which one it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Versioned {
    pub content: Bytes,
    pub version: Version,
}

impl LogFiles {
    pub(crate) fn new(store: LogStore, log: String) -> Self {
        Self { store, log }
    }

    /// Where the log is, for people.
    pub fn location(&self) -> String {
        format!("{}/{}", self.store.location().trim_end_matches('/'), self.log)
    }

    fn path(&self, file: &str) -> Result<Path, StoreError> {
        let named = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        if !file.split('/').all(named) {
            return Err(StoreError::Name { path: file.to_owned() });
        }
        let parts = self.log.split('/').chain(file.split('/'));
        Ok(self.store.prefix.parts().chain(parts.map(Into::into)).collect())
    }

    pub async fn read(&self, file: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(self.read_versioned(file).await?.map(|versioned| versioned.content))
    }

    pub async fn read_versioned(&self, file: &str) -> Result<Option<Versioned>, StoreError> {
        let path = self.path(file)?;
        let failed = |error: Error| StoreError::failed("reading", path.as_ref(), &error);
        let found = match self.store.objects.get(&path).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let (e_tag, version) = (found.meta.e_tag.clone(), found.meta.version.clone());
        let content = found.bytes().await.map_err(failed)?;
        let seen = match self.store.folder {
            Some(_) => Seen::Digest(folder::digest(&content)),
            None => Seen::Object { e_tag, version },
        };
        Ok(Some(Versioned { content, version: Version(seen) }))
    }

    /// Writes a file that is never changed. One that is there stays as it is.
    pub async fn create(&self, file: &str, content: impl Into<Bytes>) -> Result<Created, StoreError> {
        let (path, content) = (self.path(file)?, content.into());
        let options = PutOptions::from(PutMode::Create);
        match self.store.objects.put_opts(&path, PutPayload::from(content.clone()), options).await {
            Ok(_) => Ok(Created::New),
            Err(Error::AlreadyExists { .. }) => {
                let same = self.read(file).await?.is_some_and(|there| there == content);
                Ok(if same { Created::Same } else { Created::Different })
            }
            Err(error) => Err(StoreError::failed("creating", path.as_ref(), &error)),
        }
    }

    /// Writes a file whole, over what is there.
    pub async fn replace(&self, file: &str, content: impl Into<Bytes>) -> Result<(), StoreError> {
        let path = self.path(file)?;
        let put = self.store.objects.put(&path, PutPayload::from(content.into())).await;
        put.map(drop).map_err(|error| StoreError::failed("writing", path.as_ref(), &error))
    }

    /// Writes a file if it still is what was seen (`None`: not there). `None`: it is not, and nothing was written.
    pub async fn compare_and_set(
        &self,
        file: &str,
        seen: Option<&Version>,
        content: impl Into<Bytes>,
    ) -> Result<Option<Version>, StoreError> {
        let (path, content) = (self.path(file)?, content.into());
        if let Some(root) = &self.store.folder {
            let seen = seen.map(|version| match &version.0 {
                Seen::Digest(digest) => *digest,
                // From another kind of store: never the present content.
                Seen::Object { .. } => [0; 32],
            });
            let written = folder::compare_and_set(root.join(path.as_ref()), seen, content).await?;
            return Ok(written.map(|digest| Version(Seen::Digest(digest))));
        }
        let mode = match seen.map(|version| version.0.clone()) {
            None => PutMode::Create,
            Some(Seen::Object { e_tag, version }) => PutMode::Update(UpdateVersion { e_tag, version }),
            Some(Seen::Digest(_)) => return Ok(None),
        };
        match self.store.objects.put_opts(&path, PutPayload::from(content), PutOptions::from(mode)).await {
            Ok(put) => Ok(Some(Version(Seen::Object { e_tag: put.e_tag, version: put.version }))),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(StoreError::failed("replacing", path.as_ref(), &error)),
        }
    }

    /// The files below `under`, by their names in this log, in order.
    pub async fn list(&self, under: &str) -> Result<Vec<String>, StoreError> {
        let path = self.path(under)?;
        let above = path.as_ref().len() - under.len();
        let mut files: Vec<String> = self
            .store
            .list(&path)
            .await?
            .iter()
            .filter_map(|file| Some(file.as_ref().get(above..)?.to_owned()))
            .collect();
        files.sort_unstable();
        Ok(files)
    }
}
