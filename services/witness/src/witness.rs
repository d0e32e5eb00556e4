//! The judgement: does this checkpoint extend what was cosigned of its log before?

use std::sync::{Mutex, PoisonError};

use muster_runtime::{Clock, config};
use muster_tlog::{Hash, SigningKey, SoftwareKey, cosignature::cosign, merkle::verify_consistency};

use crate::{
    error::StartError,
    key,
    logs::{Logs, epoch_of},
    memory::{Memory, Seen},
    request::AddCheckpoint,
};

/// A listed key opens one origin for each epoch; more than this is a fault or an attack of a key's holder.
const MAX_ORIGINS: usize = 10_000;

/// Why a checkpoint is not cosigned. Each is one status of the protocol.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum No {
    #[error("this witness does not know the log '{0}'")]
    UnknownLog(String),
    #[error("epoch {cosigned} of this log has been cosigned; epoch {asked} is over")]
    EpochOver { asked: u32, cosigned: u32 },
    #[error("no signature is of a key that is known for this log")]
    NotSigned,
    #[error("the size cosigned last is {0}")]
    OtherSize(u64),
    #[error("another tree of size {0} was cosigned before")]
    OtherTree(u64),
    #[error("the proof does not show that this tree extends the one cosigned before: {0}")]
    Inconsistent(String),
    #[error("this witness cannot remember now: {0}")]
    Failed(String),
}

pub(crate) struct Witness {
    key: SoftwareKey,
    logs: Logs,
    /// One at a time: looking and remembering are one act.
    memory: Mutex<Memory>,
    clock: Clock,
}

impl Witness {
    /// Opens key and memory, or makes both.
    pub(crate) fn open(config: &config::Witness, clock: Clock) -> Result<Self, StartError> {
        let is_name = !config.name.is_empty() && !config.name.contains(|c: char| c.is_whitespace() || c == '+');
        if !is_name {
            return Err(StartError::Name(config.name.clone()));
        }
        for path in [&config.state, &config.key] {
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(StartError::file(parent))?;
            }
        }
        let logs = Logs::new(&config.logs, config.logs_file.clone(), config.accept_next_epochs)?;
        let found = key::read(&config.key, &config.name)?;
        if found.is_some() && !config.state.exists() {
            return Err(StartError::Forgot { state: config.state.clone(), key: config.key.clone() });
        }
        // The memory first: killed in between, the next start finds an empty one without a key, which is a first start.
        let memory = Memory::open(&config.state)?;
        let key = match found {
            Some(key) => key,
            None if memory.len() == 0 => key::make(&config.key, &config.name)?,
            None => {
                let (state, key, logs) = (config.state.clone(), config.key.clone(), memory.len());
                return Err(StartError::KeyGone { state, key, logs });
            }
        };
        Ok(Self { key, logs, memory: Mutex::new(memory), clock })
    }

    pub(crate) fn key(&self) -> &dyn SigningKey {
        &self.key
    }

    pub(crate) fn known_origins(&self) -> usize {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The cosignature, as a line without its end. Blocks while it is written to disk.
    pub(crate) fn add(&self, asked: &AddCheckpoint) -> Result<String, No> {
        let checkpoint = &asked.checkpoint;
        let keys = self.logs.keys_of(&checkpoint.origin);
        if keys.is_empty() {
            return Err(No::UnknownLog(checkpoint.origin.clone()));
        }
        if !keys.iter().any(|key| asked.note.verify(std::slice::from_ref(key)).is_ok()) {
            return Err(No::NotSigned);
        }
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        judge(&memory, asked)?;
        let seen = Seen { size: checkpoint.size, root: checkpoint.root };
        if memory.seen(&checkpoint.origin) != Some(seen) {
            memory.remember(&checkpoint.origin, seen).map_err(|error| No::Failed(error.to_string()))?;
        }
        drop(memory);
        let now = u64::try_from(self.clock.now().as_second()).unwrap_or(0);
        let line = cosign(asked.note.text(), now, &self.key).map_err(|error| No::Failed(error.to_string()))?;
        Ok(line.to_string())
    }
}

fn judge(memory: &Memory, asked: &AddCheckpoint) -> Result<(), No> {
    let checkpoint = &asked.checkpoint;
    let before = memory.seen(&checkpoint.origin);
    let Some(Seen { size, root }) = before else {
        first_of_log(memory, &checkpoint.origin)?;
        return extends(asked, 0, Hash::empty_root());
    };
    not_over(memory, &checkpoint.origin)?;
    if asked.old != size {
        return Err(No::OtherSize(size));
    }
    if checkpoint.size == size && checkpoint.root != root {
        return Err(No::OtherTree(size));
    }
    extends(asked, size, root)
}

fn extends(asked: &AddCheckpoint, size: u64, root: Hash) -> Result<(), No> {
    if asked.old != size {
        return Err(No::OtherSize(size));
    }
    let new = (asked.checkpoint.size, asked.checkpoint.root);
    if new.0 == 0 && new.1 != Hash::empty_root() {
        return Err(No::Inconsistent("a tree without leaves has one root".to_owned()));
    }
    verify_consistency(&asked.proof, (size, root), new).map_err(|error| No::Inconsistent(error.to_string()))
}

fn first_of_log(memory: &Memory, origin: &str) -> Result<(), No> {
    if memory.len() >= MAX_ORIGINS {
        return Err(No::Failed(format!("it knows {MAX_ORIGINS} logs already")));
    }
    not_over(memory, origin)
}

/// Once an epoch was cosigned, no earlier one is: whoever still signs it is a site that was given up, or an attacker.
fn not_over(memory: &Memory, origin: &str) -> Result<(), No> {
    let Some((line, asked)) = epoch_of(origin) else { return Ok(()) };
    let line = format!("{line}/");
    let cosigned = memory.beginning(&line).filter_map(epoch_of).filter(|(of, _)| line.trim_end_matches('/') == *of);
    match cosigned.map(|(_, epoch)| epoch).max().filter(|newest| *newest > asked) {
        Some(cosigned) => Err(No::EpochOver { asked, cosigned }),
        None => Ok(()),
    }
}
