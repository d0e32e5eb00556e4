//! What can go wrong with the store, said so that an operator can act on it.

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "audit.store '{location}' cannot be used: {reason}; write an absolute directory, or s3://bucket/prefix with the usual AWS_ variables"
    )]
    Location { location: String, reason: String },

    #[error("the store of the transparency logs does not do its work ({doing} {path}): {reason}; check audit.store")]
    Failed { doing: &'static str, path: String, reason: String },

    #[error("'{path}' is not the name of a file of a log")]
    Name { path: String },
}

impl StoreError {
    pub(crate) fn failed(doing: &'static str, path: &str, error: &dyn std::error::Error) -> Self {
        let mut reason = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            reason = format!("{reason}: {cause}");
            source = cause.source();
        }
        Self::Failed { doing, path: path.to_owned(), reason }
    }
}
