//! Witnesses, as the log asks them: client of C2SP tlog-witness, with a quorum. A witness that is away, slow or wrong never
//! holds up the log; what each last said is kept for people to see.

mod ask;
mod memory;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt, stream::FuturesUnordered};
use muster_domain::pb::audit::v1::{CheckpointRef, SplitDetected, WitnessState};
use muster_runtime::config::AuditWitness;
use muster_tlog::{
    Algorithm, Policy, VerifierKey,
    policy::{Group, Witness},
};
use tokio::time::Instant;

use super::vouch::{Consistency, Cosigned, Signed, Witnesses};
use ask::{Asked, Problem};
use memory::Memory;

/// For one answer, the connection included: a checkpoint is for within a second or two.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);
/// For all tries of one checkpoint.
const TOTAL_LIMIT: Duration = Duration::from_secs(4);
/// How long the others may still answer once the quorum is there.
const AFTER_QUORUM: Duration = Duration::from_millis(500);
const QUORUM: &str = "quorum";

#[derive(Debug, thiserror::Error)]
pub(crate) enum WitnessError {
    #[error("audit.witnesses: the key of {name} cannot be used: {problem}. Next: copy it from the page of the witness")]
    Key { name: String, problem: String },
    #[error("an HTTP client cannot be made: {0}")]
    Http(#[from] reqwest::Error),
}

/// The witnesses of the configuration.
pub(crate) fn open(config: &[AuditWitness], quorum: usize) -> Result<Arc<dyn Witnesses>, WitnessError> {
    Ok(Arc::new(Cosigners::open(config, quorum)?))
}

/// One witness of the configuration.
#[derive(Debug)]
struct Cosigner {
    name: String,
    url: String,
    key: VerifierKey,
}

/// All of them.
pub(crate) struct Cosigners {
    cosigners: Vec<Arc<Cosigner>>,
    quorum: usize,
    http: reqwest::Client,
    memory: Memory,
}

impl Cosigners {
    pub(crate) fn open(config: &[AuditWitness], quorum: usize) -> Result<Self, WitnessError> {
        let cosigners = config.iter().map(cosigner).collect::<Result<Vec<_>, _>>()?;
        let http = reqwest::Client::builder()
            .timeout(ANSWER_LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .pool_idle_timeout(Duration::from_secs(90))
            .build()?;
        Ok(Self { cosigners, quorum, http, memory: Memory::default() })
    }

    /// Asks one, with what is known of its size, and again with the size that it names.
    async fn ask(&self, cosigner: &Cosigner, signed: &Signed, proofs: &dyn Consistency) -> Result<Asked, Problem> {
        let origin = &signed.checkpoint.origin;
        let mut old = self.memory.size(origin, &cosigner.name).min(signed.checkpoint.size);
        // The witness names its size, we ask from there, and another process of ours may have been faster once.
        for _ in 0..3 {
            let answer = ask::once(&self.http, cosigner, signed, old, proofs).await?;
            match answer {
                Asked::Size(theirs) if theirs < signed.checkpoint.size || old != theirs => {
                    if theirs > signed.checkpoint.size {
                        return Err(Problem::Ahead(theirs));
                    }
                    self.memory.saw(origin, &cosigner.name, theirs);
                    old = theirs;
                }
                Asked::Size(theirs) => return Err(Problem::OtherTree(theirs)),
                cosigned @ Asked::Cosigned { .. } => return Ok(cosigned),
            }
        }
        Err(Problem::Said("it named another size each time it was asked".to_owned()))
    }
}

fn cosigner(config: &AuditWitness) -> Result<Arc<Cosigner>, WitnessError> {
    let wrong = |problem: String| WitnessError::Key { name: config.name.clone(), problem };
    let key: VerifierKey = config.verifier_key.parse().map_err(|error| wrong(format!("{error}")))?;
    if key.algorithm() != Algorithm::CosignatureV1 {
        return Err(wrong("it is the key of a log".to_owned()));
    }
    let url = config.url.trim_end_matches('/').to_owned();
    Ok(Arc::new(Cosigner { name: config.name.clone(), url, key }))
}

#[async_trait]
impl Witnesses for Cosigners {
    async fn cosign(&self, signed: &Signed, proofs: &dyn Consistency) -> Cosigned {
        let mut cosigned = Cosigned { quorum: self.quorum == 0, ..Cosigned::default() };
        let (mut answered, mut good) = (Vec::new(), 0);
        let rests = |cosigner: &Cosigner| self.memory.rests(&signed.checkpoint.origin, &cosigner.name);
        let (resting, asked): (Vec<_>, Vec<_>) = self.cosigners.iter().partition(|cosigner| rests(cosigner));
        let mut waiting: FuturesUnordered<_> = asked
            .iter()
            .copied()
            .map(|cosigner| async move { (cosigner, self.ask(cosigner, signed, proofs).await) })
            .collect();
        let mut until = Instant::now() + if cosigned.quorum { AFTER_QUORUM } else { TOTAL_LIMIT };
        while let Ok(Some((cosigner, answer))) = tokio::time::timeout_at(until, waiting.next()).await {
            answered.push(cosigner.name.clone());
            self.take(cosigner, signed, answer, &mut cosigned, &mut good);
            if !cosigned.quorum && good >= self.quorum {
                cosigned.quorum = true;
                until = until.min(Instant::now() + AFTER_QUORUM);
            }
        }
        drop(waiting);
        for late in asked.iter().filter(|one| !answered.contains(&one.name)) {
            self.memory.late(&signed.checkpoint.origin, &late.name);
            cosigned.missing.push(late.name.clone());
        }
        // Not asked this time, so what it said last still holds.
        cosigned.missing.extend(resting.iter().map(|one| one.name.clone()));
        cosigned
    }

    fn states(&self, origin: &str) -> Vec<WitnessState> {
        self.cosigners.iter().map(|cosigner| self.memory.state(origin, &cosigner.name)).collect()
    }

    fn policy(&self) -> String {
        let witnesses = self.cosigners.iter().map(|cosigner| Witness {
            name: cosigner.name.clone(),
            key: cosigner.key.clone(),
            url: Some(cosigner.url.clone()),
        });
        let members = self.cosigners.iter().map(|cosigner| cosigner.name.clone()).collect();
        let group = Group { name: QUORUM.to_owned(), threshold: self.quorum, members };
        let asked = self.quorum > 0;
        Policy {
            logs: Vec::new(),
            witnesses: witnesses.collect(),
            groups: asked.then_some(group).into_iter().collect(),
            quorum: asked.then(|| QUORUM.to_owned()),
        }
        .to_string()
    }
}

impl Cosigners {
    fn take(
        &self,
        cosigner: &Cosigner,
        signed: &Signed,
        answer: Result<Asked, Problem>,
        cosigned: &mut Cosigned,
        good: &mut usize,
    ) {
        let (origin, name) = (&signed.checkpoint.origin, &cosigner.name);
        match answer {
            Ok(Asked::Cosigned { lines, at }) => {
                self.memory.cosigned(origin, name, signed.checkpoint.size, at);
                cosigned.lines.extend(lines);
                *good += 1;
            }
            Ok(Asked::Size(_)) => {}
            Err(problem) => {
                metrics::counter!("muster_audit_witness_problems_total", "witness" => name.clone()).increment(1);
                tracing::warn!(witness = name, origin, size = signed.checkpoint.size, %problem, "not cosigned");
                self.memory.failed(origin, name, problem.to_string());
                cosigned.missing.push(name.clone());
                cosigned.split = cosigned.split.take().or_else(|| split(name, &signed.checkpoint, &problem));
            }
        }
    }
}

/// What a witness has seen that contradicts what we sign.
fn split(witness: &str, ours: &CheckpointRef, problem: &Problem) -> Option<SplitDetected> {
    let (size, text) = match problem {
        Problem::Ahead(size) => (
            *size,
            format!(
                "witness {witness} has cosigned this log at size {size}, and ours is {}: the store was rolled back, or \
                 somebody else signs with our key",
                ours.size
            ),
        ),
        Problem::OtherTree(size) => (*size, format!("witness {witness} has cosigned another tree of size {size}")),
        Problem::Inconsistent(size) => (
            *size,
            format!(
                "witness {witness} refuses size {}: it does not extend the tree of size {size} that it has cosigned",
                ours.size
            ),
        ),
        Problem::Said(_) => return None,
    };
    let theirs = CheckpointRef { origin: ours.origin.clone(), size, root: String::new() };
    Some(SplitDetected { ours: Some(ours.clone()), theirs: Some(theirs), seen_by: format!("witness:{witness}"), text })
}
