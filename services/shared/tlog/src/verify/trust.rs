//! Whom the auditor trusts: keys that reached him on another way than the log.

use super::{Finding, Findings};
use crate::{
    key::{Algorithm, VerifierKey},
    note::Note,
    policy::{Group, Judgement, LogKey, Policy, Witness},
};

/// Log keys from outside; witnesses and quorum from outside too, or else those that the package's own policy names.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    log_keys: Vec<VerifierKey>,
    witnesses: Vec<VerifierKey>,
    policy: Option<Policy>,
}

impl Trust {
    /// Keys of logs and of witnesses, as they were handed over. Every witness that is given must have cosigned.
    pub fn in_keys(keys: impl IntoIterator<Item = VerifierKey>) -> Self {
        let (log_keys, witnesses) = keys.into_iter().partition(|key| key.algorithm() == Algorithm::Ed25519);
        Self { log_keys, witnesses, policy: None }
    }

    /// A whole policy that was handed over; the package's own is then not asked.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    pub fn is_empty(&self) -> bool {
        self.log_keys.is_empty() && self.policy.is_none()
    }

    /// Whether a whole policy was handed over: nothing else is believed then.
    pub const fn is_whole(&self) -> bool {
        self.policy.is_some()
    }

    /// The policy to judge by, given the one that the log's operator publishes. From that one come only: the ends of
    /// the trusted keys, and witnesses and quorum where none were given from outside.
    pub fn policy(&self, published: Option<&Policy>) -> (Policy, Findings) {
        let mut findings = Findings::default();
        if let Some(policy) = &self.policy {
            return (policy.clone(), findings);
        }
        let published_logs = published.map(|policy| policy.logs.as_slice()).unwrap_or_default();
        let end_of = |key: &VerifierKey| published_logs.iter().find(|log| log.key == *key).and_then(|log| log.ends_at);
        let logs =
            self.log_keys.iter().map(|key| LogKey { key: key.clone(), url: None, ends_at: end_of(key) }).collect();
        // The keys of other epochs are listed for completeness, and count for nothing here.
        let is_listed = |key: &VerifierKey| published_logs.iter().any(|log| log.key == *key);
        let names: Vec<&str> = self.log_keys.iter().filter(|key| is_listed(key)).map(VerifierKey::name).collect();
        let counts = |log: &&LogKey| names.is_empty() || names.contains(&log.key.name());
        for other in published_logs.iter().filter(|log| !self.log_keys.contains(&log.key)).filter(counts) {
            findings.push(Finding::OtherLogKey { key: other.key.to_string() });
        }
        let mut policy = match published {
            Some(published) => Policy { logs, ..published.clone() },
            None => Policy { logs, ..Policy::default() },
        };
        if !self.witnesses.is_empty() {
            policy = asking_for_all(policy.logs, &self.witnesses);
        }
        if policy.quorum.is_none() {
            findings.push(Finding::NoWitnessAsked);
        }
        (policy, findings)
    }
}

fn asking_for_all(logs: Vec<LogKey>, keys: &[VerifierKey]) -> Policy {
    let named = |key: &VerifierKey| Witness { name: key.name().to_owned(), key: key.clone(), url: None };
    let witnesses: Vec<Witness> = keys.iter().map(named).collect();
    let members: Vec<String> = witnesses.iter().map(|witness| witness.name.clone()).collect();
    // A name that no witness can have: names of keys hold no '+'.
    let all = "+all".to_owned();
    let group = Group { name: all.clone(), threshold: members.len(), members };
    Policy { logs, witnesses, groups: vec![group], quorum: Some(all) }
}

/// Judges one signed checkpoint; `path` is how the finding names it.
pub(super) fn judge(policy: &Policy, path: &str, bytes: &[u8], findings: &mut Findings) -> Option<Judgement> {
    let judged = Note::parse(bytes).map_err(Into::into).and_then(|note| policy.judge(&note));
    match judged {
        Ok(judgement) => {
            if !judgement.quorum {
                let (size, missing) = (judgement.checkpoint.size, judgement.missing.clone());
                findings.push(Finding::NotWitnessed { size, missing });
            }
            Some(judgement)
        }
        Err(error) => {
            findings.push(Finding::NotSigned { path: path.to_owned(), problem: error.to_string() });
            None
        }
    }
}
