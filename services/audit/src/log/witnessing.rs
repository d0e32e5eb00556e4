//! From signed to witnessed: asks for cosignatures of the newest signed checkpoint, beside the writer, which never waits.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    TenantId,
    pb::audit::v1::{CheckpointRef, WitnessesBehind, WitnessesCaughtUp, audit_log_event::Event},
    time::to_pb,
};
use muster_logstore::LogFiles;
use muster_tlog::{Checkpoint, Note};
use tokio::sync::watch;

use super::{
    fault::Fault, parts::Parts, proofs::Proofs, publish::CHECKPOINT, record, status::Witness, status::gauge,
    vouch::Signed,
};

/// How soon the witnesses are asked again when there was no quorum.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Asks the witnesses of one log.
pub(crate) struct Witnessing {
    parts: Parts,
    tenant: TenantId,
    origin: String,
    files: LogFiles,
    proofs: Proofs,
    /// The size of the newest witnessed checkpoint.
    witnessed: CheckpointRef,
    since: Option<Timestamp>,
    told: bool,
}

impl Witnessing {
    pub(crate) async fn open(parts: &Parts, tenant: &TenantId, origin: &str, files: &LogFiles) -> Result<Self, Fault> {
        let there = files.read(CHECKPOINT).await?.and_then(|note| reference(&note));
        let witnessed = there.filter(|there| there.origin == origin).unwrap_or_default();
        Ok(Self {
            parts: parts.clone(),
            tenant: tenant.clone(),
            origin: origin.to_owned(),
            proofs: Proofs::new(files.clone()),
            files: files.clone(),
            witnessed,
            since: None,
            told: false,
        })
    }

    /// Until there is a split. `signed` always holds the newest.
    pub(crate) async fn run(mut self, mut signed: watch::Receiver<Option<Signed>>) -> Fault {
        loop {
            let newest = signed.borrow_and_update().clone();
            let done = match newest {
                Some(newest) => match self.ask(newest).await {
                    Ok(done) => done,
                    Err(fault) if fault.stops() => return fault,
                    Err(fault) => {
                        tracing::warn!(tenant = %self.tenant, %fault, "a checkpoint cannot be published yet");
                        false
                    }
                },
                None => true,
            };
            let changed = async {
                if signed.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            match done {
                true => changed.await,
                // Not at every new checkpoint: a witness that is away is not to be hammered.
                false => tokio::time::sleep(ASK_AGAIN).await,
            }
        }
    }

    /// Whether the checkpoint is witnessed now.
    async fn ask(&mut self, signed: Signed) -> Result<bool, Fault> {
        let cosigned = self.parts.witnesses.cosign(&signed, &self.proofs).await;
        if let Some(split) = cosigned.split {
            return Err(Fault::Split(Box::new(split)));
        }
        if cosigned.quorum {
            self.publish(&signed, &cosigned.lines).await?;
        }
        self.note(&signed, cosigned.quorum, cosigned.missing).await?;
        Ok(cosigned.quorum)
    }

    async fn publish(&mut self, signed: &Signed, lines: &[String]) -> Result<(), Fault> {
        // Never back: an older checkpoint in its place would look like a rolled-back log.
        if signed.checkpoint.size < self.witnessed.size {
            return Ok(());
        }
        let mut note = Note::parse(signed.note.as_bytes()).map_err(|error| Fault::Sign(error.into()))?;
        for line in lines {
            note.add(muster_tlog::note::parse_signature(line).map_err(|error| Fault::Sign(error.into()))?);
        }
        self.files.replace(CHECKPOINT, note.to_string()).await?;
        self.witnessed = signed.checkpoint.clone();
        #[expect(clippy::cast_precision_loss, reason = "a gauge: exact up to 2^53 leaves")]
        gauge("muster_audit_witnessed_size", &self.tenant, signed.checkpoint.size as f64);
        Ok(())
    }

    /// For `GetLog`, and for people when it takes too long.
    async fn note(&mut self, signed: &Signed, quorum: bool, missing: Vec<String>) -> Result<(), Fault> {
        let now = self.parts.context.clock.now();
        self.since = if quorum { None } else { self.since.or(Some(now)) };
        let states = self.parts.witnesses.states(&self.origin);
        let since = self.since;
        self.parts
            .board
            .update(&self.tenant, Some(&self.files), |status| {
                status.unwitnessed_since = since;
                status.witnesses = states.into_iter().map(Witness::from).collect();
            })
            .await;
        let patience = SignedDuration::try_from(*self.parts.context.config.audit.witness_patience);
        let patience = patience.unwrap_or(SignedDuration::MAX);
        match self.since {
            Some(since) if !self.told && now.duration_since(since) >= patience => {
                self.behind(signed, since, missing).await
            }
            None if self.told => self.caught_up().await,
            _ => Ok(()),
        }
    }

    async fn behind(&mut self, signed: &Signed, since: Timestamp, missing: Vec<String>) -> Result<(), Fault> {
        tracing::error!(tenant = %self.tenant, %since, missing = missing.join(", "), "AUDIT ALARM: checkpoints wait for their witnesses");
        self.parts.board.set_behind(&self.tenant, true);
        let witnessed = self.witnessed.size.to_string();
        let event = WitnessesBehind {
            pending: Some(signed.checkpoint.clone()),
            witnessed: Some(self.witnessed.clone()),
            since: Some(to_pb(since)),
            missing,
        };
        // Once for each size at which they fell behind, also after a restart.
        let key = ["witnesses behind", &self.origin, &witnessed];
        record::note(&self.parts.context, &self.tenant, &key, Event::WitnessesBehind(event)).await?;
        self.told = true;
        Ok(())
    }

    async fn caught_up(&mut self) -> Result<(), Fault> {
        tracing::info!(tenant = %self.tenant, size = self.witnessed.size, "the witnesses have caught up");
        self.parts.board.set_behind(&self.tenant, false);
        let size = self.witnessed.size.to_string();
        let event = Event::WitnessesCaughtUp(WitnessesCaughtUp { witnessed: Some(self.witnessed.clone()) });
        let key = ["witnesses caught up", &self.origin, &size];
        record::note(&self.parts.context, &self.tenant, &key, event).await?;
        self.told = false;
        Ok(())
    }
}

/// What a signed note says, its signatures aside.
pub(crate) fn reference(note: &[u8]) -> Option<CheckpointRef> {
    let checkpoint: Checkpoint = Note::parse(note).ok()?.text().parse().ok()?;
    Some(CheckpointRef { origin: checkpoint.origin, size: checkpoint.size, root: checkpoint.root.to_hex() })
}
