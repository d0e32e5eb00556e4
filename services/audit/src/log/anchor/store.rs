//! A second folder or bucket. Files are only created, never replaced; a bucket with object lock also refuses everybody else.

use std::path::Path as FilePath;

use async_trait::async_trait;
use futures::TryStreamExt;
use object_store::{
    Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, aws::AmazonS3Builder, local::LocalFileSystem,
    path::Path,
};

use super::{Anchor, AnchorError, Receipt, Signed, body_of, size_of};

/// Wide enough for every size, so that names sort as numbers do.
const SIZE_DIGITS: usize = 20;
const NAME: &str = "checkpoint.";

pub(super) struct Store {
    kind: &'static str,
    location: String,
    prefix: Path,
    objects: Box<dyn ObjectStore>,
}

impl Store {
    /// A directory, made if it is not there, or `s3://bucket/prefix`, with credentials from the environment.
    pub(super) fn open(location: &str) -> Result<Self, AnchorError> {
        let failed = |error: Error| AnchorError::failed(location, error);
        let location = location.trim_end_matches('/').to_owned();
        let Some(rest) = location.strip_prefix("s3://") else {
            std::fs::create_dir_all(FilePath::new(&location)).map_err(|error| AnchorError::failed(&location, error))?;
            let objects = LocalFileSystem::new_with_prefix(&location).map_err(failed)?.with_fsync(true);
            return Ok(Self { kind: "folder", location, prefix: Path::default(), objects: Box::new(objects) });
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let objects = AmazonS3Builder::from_env().with_bucket_name(bucket).build().map_err(failed)?;
        Ok(Self { kind: "bucket", prefix: Path::from(prefix), objects: Box::new(objects), location })
    }

    fn directory(&self, origin: &str) -> Path {
        self.prefix.parts().chain(Path::from(origin).parts()).collect()
    }

    async fn read(&self, path: &Path) -> Result<String, AnchorError> {
        let failed = |error: Error| AnchorError::failed("reading back", error);
        let bytes = self.objects.get(path).await.map_err(failed)?.bytes().await.map_err(failed)?;
        String::from_utf8(bytes.to_vec()).map_err(|error| AnchorError::failed("reading back", error))
    }
}

#[async_trait]
impl Anchor for Store {
    fn kind(&self) -> &'static str {
        self.kind
    }

    async fn keep(&self, signed: &Signed) -> Result<Receipt, AnchorError> {
        if let Some(theirs) = self.largest(&signed.checkpoint.origin).await?
            && let Some(theirs_size) = size_of(&theirs).filter(|size| *size > signed.checkpoint.size)
        {
            return Err(AnchorError::Different { theirs, theirs_size });
        }
        let name = format!("{NAME}{:0width$}", signed.checkpoint.size, width = SIZE_DIGITS);
        let path = self.directory(&signed.checkpoint.origin).join(name);
        let create = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.objects.put_opts(&path, PutPayload::from(signed.note.clone()), create).await {
            Ok(_) | Err(Error::AlreadyExists { .. }) => {}
            Err(error) => return Err(AnchorError::failed("writing", error)),
        }
        // What is there now is what was there first.
        let kept = self.read(&path).await?;
        if body_of(&kept) != body_of(&signed.note) {
            return Err(AnchorError::Different { theirs: kept, theirs_size: signed.checkpoint.size });
        }
        let place = path.as_ref().strip_prefix(self.prefix.as_ref()).unwrap_or(path.as_ref()).trim_start_matches('/');
        Ok(Receipt { location: format!("{}/{place}", self.location), bytes: kept.into_bytes(), files: Vec::new() })
    }

    async fn largest(&self, origin: &str) -> Result<Option<String>, AnchorError> {
        let directory = self.directory(origin);
        let listing = self.objects.list(Some(&directory));
        let newest = listing.try_fold(None::<Path>, |newest, found| async move {
            let is_one = found.location.filename().is_some_and(|name| name.starts_with(NAME));
            Ok(if is_one { newest.max(Some(found.location)) } else { newest })
        });
        let Some(path) = newest.await.map_err(|error| AnchorError::failed("listing", error))? else {
            return Ok(None);
        };
        let text = self.read(&path).await?;
        Ok(size_of(&text).is_some().then_some(text))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use muster_domain::pb::audit::v1::CheckpointRef;

    use super::*;

    fn checkpoint(size: u64, root: &str, signature: &str) -> Signed {
        let origin = "audit.example/one/record/1";
        let note = format!("{origin}\n{size}\n{root}\n\n\u{2014} {origin} {signature}\n");
        Signed { checkpoint: CheckpointRef { origin: origin.into(), size, root: String::new() }, note }
    }

    #[tokio::test]
    async fn a_kept_checkpoint_is_never_replaced_and_another_tree_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().display().to_string()).unwrap();
        let first = checkpoint(9, "AAAA", "one");
        let receipt = store.keep(&first).await.unwrap();
        assert_eq!(std::fs::read(&receipt.location).unwrap(), first.note.as_bytes());

        // More cosignatures on the same tree are the same checkpoint; the file stays as it was.
        store.keep(&checkpoint(9, "AAAA", "one and two")).await.unwrap();
        assert_eq!(std::fs::read(&receipt.location).unwrap(), first.note.as_bytes());

        let error = store.keep(&checkpoint(9, "BBBB", "one")).await.unwrap_err();
        assert!(
            matches!(&error, AnchorError::Different { theirs, theirs_size: 9 } if *theirs == first.note),
            "{error}"
        );
        assert_eq!(std::fs::read(&receipt.location).unwrap(), first.note.as_bytes());
    }

    #[tokio::test]
    async fn the_largest_is_found_by_number() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().display().to_string()).unwrap();
        assert_eq!(store.largest("audit.example/one/record/1").await.unwrap(), None);
        for size in [9, 20, 100] {
            store.keep(&checkpoint(size, "AAAA", "s")).await.unwrap();
        }
        let rolled_back = store.keep(&checkpoint(21, "AAAA", "s")).await.unwrap_err();
        assert!(matches!(rolled_back, AnchorError::Different { theirs_size: 100, .. }), "{rolled_back}");
        let largest = store.largest("audit.example/one/record/1").await.unwrap();
        assert_eq!(largest.as_deref().and_then(size_of), Some(100));
        assert_eq!(store.largest("audit.example/one/record/2").await.unwrap(), None);
    }
}
