//! What was signed last, kept by compare-and-set before the next signature: of two processes that believe to be the
//! signer, one goes on, and a log never signs two trees of one size.

use muster_domain::pb::audit::v1::CheckpointRef;
use muster_logstore::{LogFiles, Version};
use serde::{Deserialize, Serialize};

use super::fault::Fault;

pub(crate) const FILE: &str = "signer";

/// The content of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SignerState {
    pub(crate) origin: String,
    pub(crate) size: u64,
    /// In hex.
    pub(crate) root: String,
    /// Keys that no longer sign, and the last size that each signed.
    #[serde(default)]
    pub(crate) ended: Vec<Ended>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub(crate) verifier_key: String,
    pub(crate) size: u64,
}

impl SignerState {
    pub(crate) fn checkpoint(&self) -> CheckpointRef {
        CheckpointRef { origin: self.origin.clone(), size: self.size, root: self.root.clone() }
    }

    pub(crate) async fn read(files: &LogFiles) -> Result<Option<Self>, Fault> {
        Ok(load(files).await?.map(|(state, _)| state))
    }
}

/// The right to sign, as long as nobody else has taken it.
pub(crate) struct Signer {
    files: LogFiles,
    state: Option<SignerState>,
    version: Option<Version>,
}

impl Signer {
    pub(crate) async fn open(files: &LogFiles) -> Result<Self, Fault> {
        let (state, version) = load(files).await?.unzip();
        Ok(Self { files: files.clone(), state, version })
    }

    pub(crate) fn state(&self) -> Option<&SignerState> {
        self.state.as_ref()
    }

    /// Before the signature over it. The caller has shown that the tree only grew.
    pub(crate) async fn advance(&mut self, to: SignerState) -> Result<(), Fault> {
        if self.state.as_ref() == Some(&to) {
            return Ok(());
        }
        let smaller = self.state.as_ref().filter(|state| {
            state.origin != to.origin || to.size < state.size || (to.size == state.size && to.root != state.root)
        });
        if let Some(state) = smaller {
            let why = format!(
                "it says size {} and root {}, and {} of size {} is to be signed",
                state.size, state.root, to.root, to.size
            );
            return Err(Fault::Damaged { file: FILE.to_owned(), why });
        }
        let content = serde_json::to_vec(&to)
            .map_err(|error| Fault::Damaged { file: FILE.to_owned(), why: error.to_string() })?;
        let written = self.files.compare_and_set(FILE, self.version.as_ref(), content).await?;
        self.version = Some(written.ok_or(Fault::OtherSigner)?);
        self.state = Some(to);
        Ok(())
    }
}

async fn load(files: &LogFiles) -> Result<Option<(SignerState, Version)>, Fault> {
    let Some(found) = files.read_versioned(FILE).await? else { return Ok(None) };
    let state = serde_json::from_slice(&found.content)
        .map_err(|error| Fault::Damaged { file: FILE.to_owned(), why: error.to_string() })?;
    Ok(Some((state, found.version)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use std::sync::Arc;

    use muster_logstore::LogStore;
    use object_store::{memory::InMemory, path::Path};

    use super::*;

    fn state(size: u64, root: &str) -> SignerState {
        SignerState { origin: "a/b/record/1".into(), size, root: root.into(), ended: Vec::new() }
    }

    #[tokio::test]
    async fn one_of_two_signers_goes_on_and_nobody_signs_two_trees_of_one_size() {
        let store = LogStore::on(Arc::new(InMemory::new()), Path::default(), "memory");
        let files = store.log(&"acme".parse().unwrap(), 1);
        let (mut one, mut two) = (Signer::open(&files).await.unwrap(), Signer::open(&files).await.unwrap());
        one.advance(state(1, "aa")).await.unwrap();
        assert!(matches!(two.advance(state(1, "aa")).await.unwrap_err(), Fault::OtherSigner));
        let mut two = Signer::open(&files).await.unwrap();
        two.advance(state(5, "bb")).await.unwrap();
        assert!(matches!(one.advance(state(6, "cc")).await.unwrap_err(), Fault::OtherSigner));
        two.advance(state(5, "bb")).await.unwrap();
        for wrong in [state(5, "cc"), state(4, "bb")] {
            assert!(matches!(two.advance(wrong).await.unwrap_err(), Fault::Damaged { .. }));
        }
        assert_eq!(SignerState::read(&files).await.unwrap().unwrap(), state(5, "bb"));
    }
}
