//! The `policy` file of a log: whose signatures make its checkpoints count, for verifiers.

use muster_domain::audit::LogKey;
use muster_logstore::LogFiles;
use muster_tlog::{
    Policy, VerifierKey,
    policy::{LogKey as PolicyKey, PolicyError},
};

use super::{fault::Fault, signer::Ended};

pub(crate) const FILE: &str = "policy";

/// The log's keys, those that ended with the size of their last checkpoint, and the witnesses.
pub(crate) fn text(keys: &[LogKey], ended: &[Ended], witnesses: &str) -> Result<String, Fault> {
    let wrong = |error: PolicyError| Fault::Key(format!("the policy cannot be written: {error}"));
    let mut policy: Policy = witnesses.parse().map_err(wrong)?;
    for key in keys {
        let ends_at = ended.iter().find(|one| one.verifier_key == key.verifier_key).map(|one| one.size);
        policy.logs.push(PolicyKey { key: key.verifier_key.parse()?, url: None, ends_at });
    }
    Ok(policy.to_string())
}

pub(crate) async fn read(files: &LogFiles) -> Option<Policy> {
    let text = files.read(FILE).await.ok().flatten()?;
    str::from_utf8(&text).ok()?.parse().ok()
}

/// The log's own keys as its policy has them.
pub(crate) async fn keys_of(files: &LogFiles) -> Vec<VerifierKey> {
    read(files).await.map(|policy| policy.logs.into_iter().map(|log| log.key).collect()).unwrap_or_default()
}

/// After a key was revoked: nothing of the closed epoch counts that is larger than what was surely good.
pub(crate) async fn close(files: &LogFiles, last_good: u64) -> Result<(), Fault> {
    let Some(mut policy) = read(files).await else { return Ok(()) };
    for log in &mut policy.logs {
        log.ends_at = Some(log.ends_at.map_or(last_good, |end| end.min(last_good)));
    }
    files.replace(FILE, policy.to_string()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use muster_tlog::Algorithm;

    use super::*;

    #[test]
    fn a_key_that_ended_says_where() {
        let key = |byte| VerifierKey::new("a/b/record/1", Algorithm::Ed25519, [byte; 32]).unwrap();
        let log_key = |byte| LogKey { verifier_key: key(byte).to_string(), until: None, revoked: false };
        let ended = [Ended { verifier_key: key(1).to_string(), size: 40 }];
        let text = text(&[log_key(1), log_key(2)], &ended, "quorum none\n").unwrap();
        let policy: Policy = text.parse().unwrap();
        let ends: Vec<Option<u64>> = policy.logs.iter().map(|log| log.ends_at).collect();
        assert_eq!(ends, [Some(40), None], "{text}");
    }
}
