//! One checkpoint: files, then the signer's state, then the signature, then the file that readers see. In this order a
//! crash at any instant leaves a log that goes on as one tree.

use std::sync::Arc;

use jiff::Timestamp;
use muster_domain::{TenantId, audit::AuditLog};
use muster_logstore::LogFiles;
use muster_tlog::{Checkpoint, SigningKey};

use super::{
    begin::{Begun, split},
    fault::Fault,
    parts::Parts,
    policy,
    signer::{Ended, SignerState},
    vouch::Signed,
};

/// The newest checkpoint that a quorum of witnesses has cosigned.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// The newest that the log has signed.
pub(crate) const PENDING: &str = "checkpoint.pending";

/// What signs.
pub(crate) struct Keys {
    log: AuditLog,
    signing: Vec<Arc<dyn SigningKey>>,
    ended: Vec<Ended>,
    policy: String,
}

impl Keys {
    /// The keys that sign at `now`. One whose time is over ends with the size that was signed last.
    pub(crate) fn open(
        parts: &Parts,
        tenant: &TenantId,
        log: &AuditLog,
        state: Option<&SignerState>,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let mut ended = state.map(|state| state.ended.clone()).unwrap_or_default();
        let mut signing = Vec::new();
        for key in &log.keys {
            if key.signs_at(now) {
                signing.push(parts.keys.open(tenant, &key.verifier_key.parse()?)?);
            } else if ended.iter().all(|one| one.verifier_key != key.verifier_key) {
                let size = state.map_or(0, |state| state.size);
                ended.push(Ended { verifier_key: key.verifier_key.clone(), size });
            }
        }
        if signing.is_empty() {
            return Err(Fault::Key("none of its keys signs any more".to_owned()));
        }
        let policy = policy::text(&log.keys, &ended, &parts.witnesses.policy())?;
        Ok(Self { log: log.clone(), signing, ended, policy })
    }

    #[cfg(test)]
    pub(crate) fn of(signing: Vec<Arc<dyn SigningKey>>, keys: Vec<muster_domain::audit::LogKey>) -> Self {
        let policy = policy::text(&keys, &[], "quorum none\n").unwrap_or_default();
        Self { log: AuditLog { keys, ..AuditLog::default() }, signing, ended: Vec::new(), policy }
    }

    /// Those that do not sign any more.
    pub(crate) fn ended(&self) -> &[Ended] {
        &self.ended
    }

    /// Whether other keys sign at `now`.
    pub(crate) fn changed_by(&self, now: Timestamp) -> bool {
        self.log.keys.iter().filter(|key| key.signs_at(now)).count() != self.signing.len()
    }
}

/// Publishes the tree as it is now.
pub(crate) async fn publish(begun: &mut Begun, keys: &Keys) -> Result<Signed, Fault> {
    write_files(begun).await?;
    let (size, root) = (begun.growth.size(), begun.growth.root());
    let state =
        SignerState { origin: begun.opened.origin.clone(), size, root: root.to_hex(), ended: keys.ended.clone() };
    // From here on no other tree of this size can be signed, whoever signs.
    begun.signer.advance(state.clone()).await?;
    let signing: Vec<&dyn SigningKey> = keys.signing.iter().map(|key| &**key).collect();
    let note = Checkpoint::new(&begun.opened.origin, size, root).sign(&signing)?.to_string();
    write_policy(&begun.files, &keys.policy).await?;
    begun.files.replace(PENDING, note.clone()).await?;
    Ok(Signed { checkpoint: state.checkpoint(), note })
}

async fn write_files(begun: &mut Begun) -> Result<(), Fault> {
    let written = begun.growth.write_all(&begun.files).await;
    written.map_err(|fault| other_tree(begun, fault))
}

/// Another content under the name of a tile that was written before is another tree under the log's name.
pub(crate) fn other_tree(begun: &Begun, fault: Fault) -> Fault {
    let Fault::OtherTile { file } = &fault else { return fault };
    let unsigned = SignerState { origin: begun.opened.origin.clone(), size: 0, root: String::new(), ended: Vec::new() };
    let text = format!("the file {file} of the log is not what the stream gives now");
    split(begun.signer.state().unwrap_or(&unsigned), None, "store", text)
}

async fn write_policy(files: &LogFiles, policy: &str) -> Result<(), Fault> {
    if files.read(policy::FILE).await?.is_none_or(|there| there != policy.as_bytes()) {
        files.replace(policy::FILE, policy.to_owned()).await?;
    }
    Ok(())
}
