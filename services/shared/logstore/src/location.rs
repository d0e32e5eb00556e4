//! From the configured text to a store.

use std::{path::PathBuf, sync::Arc, time::Duration};

use futures::TryStreamExt;
use muster_domain::TenantId;
use object_store::{ClientOptions, ObjectStore, RetryConfig, aws::AmazonS3Builder, local::LocalFileSystem, path::Path};
use url::Url;

use crate::{LogFiles, StoreError};

/// A store that is away is asked again by whoever needs it; a single request does not wait for minutes.
const RETRIES_WITHIN: Duration = Duration::from_secs(15);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The store of all logs. Cheap to clone.
#[derive(Clone)]
pub struct LogStore {
    pub(crate) objects: Arc<dyn ObjectStore>,
    /// Before every path, in a bucket that is shared.
    pub(crate) prefix: Path,
    /// The folder, where the store is one: it has no compare-and-set of its own.
    pub(crate) folder: Option<PathBuf>,
    location: String,
}

impl LogStore {
    /// An absolute directory, which is made, or `s3://bucket/prefix`. Keys, region and endpoint of S3 come from the
    /// environment as for every program of AWS (`AWS_ACCESS_KEY_ID`, `AWS_REGION`, `AWS_ENDPOINT_URL`, …).
    pub fn open(location: &str) -> Result<Self, StoreError> {
        let wrong = |reason: String| StoreError::Location { location: location.to_owned(), reason };
        if location.starts_with("s3://") {
            return Self::s3(location).map_err(wrong);
        }
        let folder = PathBuf::from(location);
        if !folder.is_absolute() {
            return Err(wrong("it is neither an absolute directory nor an s3:// URL".to_owned()));
        }
        std::fs::create_dir_all(&folder).map_err(|error| wrong(error.to_string()))?;
        // What is acknowledged is on disk: a tile that a crash of the machine emptied would look like an attack.
        let objects = LocalFileSystem::new_with_prefix(&folder).map_err(|error| wrong(error.to_string()))?;
        let objects = Arc::new(objects.with_fsync(true));
        Ok(Self { objects, prefix: Path::default(), folder: Some(folder), location: location.to_owned() })
    }

    fn s3(location: &str) -> Result<Self, String> {
        let url = Url::parse(location).map_err(|error| error.to_string())?;
        let prefix = Path::parse(url.path().trim_matches('/')).map_err(|error| error.to_string())?;
        let bucket = url.host_str().filter(|bucket| !bucket.is_empty()).ok_or("it names no bucket")?;
        let retry = RetryConfig { retry_timeout: RETRIES_WITHIN, ..RetryConfig::default() };
        let objects = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .with_retry(retry)
            .with_client_options(ClientOptions::new().with_timeout(REQUEST_TIMEOUT))
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self::on(Arc::new(objects), prefix, location))
    }

    /// On a store with compare-and-set of its own.
    pub fn on(objects: Arc<dyn ObjectStore>, prefix: Path, location: &str) -> Self {
        Self { objects, prefix, folder: None, location: location.to_owned() }
    }

    /// As it was configured.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// One log: a tenant's record, in one epoch.
    pub fn log(&self, tenant: &TenantId, epoch: u32) -> LogFiles {
        LogFiles::new(self.clone(), format!("{tenant}/{epoch}"))
    }

    /// The epochs that have files here, in order: also those that only this store knows of.
    pub async fn epochs(&self, tenant: &TenantId) -> Result<Vec<u32>, StoreError> {
        let under: Path = self.prefix.parts().chain([tenant.as_str().into()]).collect();
        let listed = self.objects.list_with_delimiter(Some(&under)).await;
        let listed = listed.map_err(|error| StoreError::failed("listing", under.as_ref(), &error))?;
        let mut epochs: Vec<u32> =
            listed.common_prefixes.iter().filter_map(|path| path.filename()?.parse().ok()).collect();
        epochs.sort_unstable();
        Ok(epochs)
    }

    /// All files below a path, by their whole names.
    pub(crate) async fn list(&self, under: &Path) -> Result<Vec<Path>, StoreError> {
        let listed = self.objects.list(Some(under)).map_ok(|meta| meta.location).try_collect().await;
        listed.map_err(|error| StoreError::failed("listing", under.as_ref(), &error))
    }
}

impl std::fmt::Debug for LogStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogStore").field("location", &self.location).finish_non_exhaustive()
    }
}
