//! Trust policies (C2SP tlog-policy): whose signatures make a checkpoint count. Log keys, witnesses, and how many of them.
//!
//! The format has no place for the size at which a rotated or revoked key ends; it stands in a comment of fixed form,
//! `# log-ends <key id> <size>`, which other programs skip.

use std::{collections::HashMap, fmt, str::FromStr};

use thiserror::Error;

use crate::{
    checkpoint::{Checkpoint, CheckpointError},
    key::{Algorithm, KeyError, KeyId, VerifierKey, valid_name},
    note::{Note, NoteError},
};

/// The format's advice is that at least 32 are supported.
pub const MAX_LOGS: usize = 64;
pub const MAX_WITNESSES: usize = 64;
pub const MAX_GROUPS: usize = 64;
/// Ten times what 64 of each take.
pub const MAX_POLICY_BYTES: usize = 1 << 18;

const ENDS: &str = "log-ends";
const NOBODY: &str = "none";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKey {
    pub key: VerifierKey,
    pub url: Option<String>,
    /// The largest size at which the key's signature counts; a key in use has no end.
    pub ends_at: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// Within this policy only.
    pub name: String,
    pub key: VerifierKey,
    pub url: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    /// How many of the members.
    pub threshold: usize,
    pub members: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    pub logs: Vec<LogKey>,
    pub witnesses: Vec<Witness>,
    pub groups: Vec<Group>,
    /// The witness or group that must have cosigned; none: no witness is asked for.
    pub quorum: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicyError {
    #[error("line {line} of the policy: {problem}")]
    Line { line: usize, problem: String },
    #[error("the policy has no quorum line; `quorum none` asks for no witness")]
    NoQuorum,
    #[error("the policy has {0} bytes; at most {MAX_POLICY_BYTES} are read")]
    TooLong(usize),
    #[error("the checkpoint of size {size} is signed only by the key {key_id}, which ended at size {ends_at}")]
    Ended { key_id: KeyId, ends_at: u64, size: u64 },
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// What a policy says about one signed checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    pub checkpoint: Checkpoint,
    /// The log's keys whose signatures count.
    pub signed_by: Vec<VerifierKey>,
    pub cosigned_by: Vec<Cosigned>,
    /// Whether the witnesses suffice.
    pub quorum: bool,
    /// Witnesses that did not cosign this one.
    pub missing: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// The witness' name in the policy.
    pub witness: String,
    pub unix_seconds: u64,
}

impl Policy {
    /// Whose signatures stand under the checkpoint. An error if the log's own does not count, or a known key's signature
    /// is wrong; too few witnesses are no error but [`Judgement::quorum`].
    pub fn judge(&self, note: &Note) -> Result<Judgement, PolicyError> {
        let logs = self.logs.iter().map(|log| log.key.clone());
        let known: Vec<VerifierKey> = logs.chain(self.witnesses.iter().map(|witness| witness.key.clone())).collect();
        let (checkpoint, verified) = Checkpoint::open_note(note, &known)?;
        let (mut signed_by, mut ended) = (Vec::new(), None);
        for one in verified.iter().filter(|one| one.cosigned_at.is_none()) {
            let ends_at = self.logs.iter().find(|log| log.key == *one.key).and_then(|log| log.ends_at);
            match ends_at.filter(|end| checkpoint.size > *end) {
                Some(ends_at) => {
                    ended = Some(PolicyError::Ended { key_id: one.key.id(), ends_at, size: checkpoint.size });
                }
                None => signed_by.push(one.key.clone()),
            }
        }
        if let Some(ended) = ended.filter(|_| signed_by.is_empty()) {
            return Err(ended);
        }
        let (mut cosigned_by, mut missing) = (Vec::new(), Vec::new());
        for witness in &self.witnesses {
            match verified.iter().find(|one| *one.key == witness.key).and_then(|one| one.cosigned_at) {
                Some(unix_seconds) => cosigned_by.push(Cosigned { witness: witness.name.clone(), unix_seconds }),
                None => missing.push(witness.name.clone()),
            }
        }
        let quorum = self.is_quorum(cosigned_by.iter().map(|one| one.witness.as_str()));
        Ok(Judgement { checkpoint, signed_by, cosigned_by, quorum, missing })
    }

    /// Whether these witnesses, by their names here, suffice.
    pub fn is_quorum<'a>(&'a self, cosigned: impl Iterator<Item = &'a str>) -> bool {
        let Some(quorum) = &self.quorum else { return true };
        let mut present: HashMap<&str, bool> = cosigned.map(|name| (name, true)).collect();
        // A group names only what stands before it.
        for group in &self.groups {
            let there = group.members.iter().filter(|name| present.get(name.as_str()) == Some(&true)).count();
            present.insert(&group.name, there >= group.threshold);
        }
        present.get(quorum.as_str()) == Some(&true)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = |url: &Option<String>| url.as_ref().map(|url| format!(" {url}")).unwrap_or_default();
        for log in &self.logs {
            writeln!(f, "log {}{}", log.key, url(&log.url))?;
            if let Some(size) = log.ends_at {
                writeln!(f, "# {ENDS} {} {size}", log.key.id())?;
            }
        }
        for witness in &self.witnesses {
            writeln!(f, "witness {} {}{}", witness.name, witness.key, url(&witness.url))?;
        }
        for group in &self.groups {
            writeln!(f, "group {} {} {}", group.name, group.threshold, group.members.join(" "))?;
        }
        writeln!(f, "quorum {}", self.quorum.as_deref().unwrap_or(NOBODY))
    }
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        if text.len() > MAX_POLICY_BYTES {
            return Err(PolicyError::TooLong(text.len()));
        }
        let mut reading = Reading::default();
        for (index, line) in text.lines().enumerate() {
            reading.line(line).map_err(|problem| PolicyError::Line { line: index + 1, problem })?;
        }
        reading.finish()
    }
}

#[derive(Default)]
struct Reading {
    policy: Policy,
    ends: Vec<(KeyId, u64)>,
    quorum_seen: bool,
}

impl Reading {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if line.contains(|c: char| c.is_ascii_control() && c != '\t') {
            return Err("control characters are not allowed".to_owned());
        }
        let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [] => Ok(()),
            ["#", ENDS, key_id, size] => {
                let key_id = key_id.parse().map_err(|error: KeyError| error.to_string())?;
                let size = size.parse().map_err(|_| format!("'{size}' is not a size"))?;
                self.ends.push((key_id, size));
                Ok(())
            }
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", key] => self.log(key, None),
            ["log", key, url] => self.log(key, Some((*url).to_owned())),
            ["witness", name, key] => self.witness(name, key, None),
            ["witness", name, key, url] => self.witness(name, key, Some((*url).to_owned())),
            ["group", name, threshold, members @ ..] => self.group(name, threshold, members),
            ["quorum", name] => self.quorum(name),
            [first, ..] => Err(format!("'{first}' with {} words after it is not known", words.len() - 1)),
        }
    }

    fn log(&mut self, key: &str, url: Option<String>) -> Result<(), String> {
        let key = parse_key(key, Algorithm::Ed25519)?;
        let logs = &mut self.policy.logs;
        if logs.iter().any(|log| log.key.public_key() == key.public_key()) {
            return Err("this log key is listed twice".to_owned());
        }
        full(logs.len(), MAX_LOGS, "logs")?;
        logs.push(LogKey { key, url, ends_at: None });
        Ok(())
    }

    fn witness(&mut self, name: &str, key: &str, url: Option<String>) -> Result<(), String> {
        self.free(name)?;
        let key = parse_key(key, Algorithm::CosignatureV1)?;
        let witnesses = &mut self.policy.witnesses;
        if witnesses.iter().any(|witness| witness.key.public_key() == key.public_key()) {
            return Err("this witness key is listed twice".to_owned());
        }
        full(witnesses.len(), MAX_WITNESSES, "witnesses")?;
        witnesses.push(Witness { name: name.to_owned(), key, url });
        Ok(())
    }

    fn group(&mut self, name: &str, threshold: &str, members: &[&str]) -> Result<(), String> {
        self.free(name)?;
        for (index, member) in members.iter().enumerate() {
            if !self.defined(member) {
                return Err(format!("'{member}' is not defined above"));
            }
            let elsewhere = self.policy.groups.iter().any(|group| group.members.iter().any(|other| other == member));
            if elsewhere || members.iter().take(index).any(|other| other == member) {
                return Err(format!("'{member}' is a member twice, so one witness would count twice"));
            }
        }
        let threshold = match threshold {
            "any" => 1,
            "all" => members.len(),
            number => number.parse().map_err(|_| format!("'{number}' is neither any, all nor a number"))?,
        };
        if members.is_empty() || threshold == 0 || threshold > members.len() {
            return Err(format!("{threshold} of {} members cannot be", members.len()));
        }
        full(self.policy.groups.len(), MAX_GROUPS, "groups")?;
        let members = members.iter().map(|member| (*member).to_owned()).collect();
        self.policy.groups.push(Group { name: name.to_owned(), threshold, members });
        Ok(())
    }

    fn quorum(&mut self, name: &str) -> Result<(), String> {
        if self.quorum_seen {
            return Err("there is one quorum".to_owned());
        }
        if name != NOBODY && !self.defined(name) {
            return Err(format!("'{name}' is not defined above"));
        }
        self.quorum_seen = true;
        self.policy.quorum = (name != NOBODY).then(|| name.to_owned());
        Ok(())
    }

    fn defined(&self, name: &str) -> bool {
        let Policy { witnesses, groups, .. } = &self.policy;
        witnesses.iter().any(|witness| witness.name == name) || groups.iter().any(|group| group.name == name)
    }

    fn free(&self, name: &str) -> Result<(), String> {
        if name == NOBODY || self.defined(name) || !valid_name(name) {
            return Err(format!("the name '{name}' is taken or not allowed"));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Policy, PolicyError> {
        if !self.quorum_seen {
            return Err(PolicyError::NoQuorum);
        }
        for (key_id, size) in self.ends {
            for log in self.policy.logs.iter_mut().filter(|log| log.key.id() == key_id) {
                // Of two ends the stricter one.
                log.ends_at = Some(log.ends_at.map_or(size, |other| other.min(size)));
            }
        }
        Ok(self.policy)
    }
}

fn parse_key(text: &str, algorithm: Algorithm) -> Result<VerifierKey, String> {
    let key: VerifierKey = text.parse().map_err(|error: KeyError| error.to_string())?;
    if key.algorithm() == algorithm { Ok(key) } else { Err("the key is of the other kind (log, witness)".to_owned()) }
}

fn full(count: usize, limit: usize, what: &str) -> Result<(), String> {
    if count < limit { Ok(()) } else { Err(format!("at most {limit} {what}")) }
}

impl From<NoteError> for PolicyError {
    fn from(error: NoteError) -> Self {
        Self::Checkpoint(error.into())
    }
}
