//! Where a signer goes on: at the state that was signed last, after it has seen that files and stream still agree with it.

use muster_domain::{
    TenantId,
    audit::{AuditLog, Stopped},
    pb::audit::v1::{CheckpointRef, EpochOpened, SplitDetected},
};
use muster_logstore::LogFiles;
use muster_tlog::{Leaf, tile::bundle_of};

use super::{
    compare::{self, Bundle},
    epoch,
    fault::Fault,
    growth::Growth,
    leaves::Leaves,
    parts::Parts,
    promotion, record,
    signer::{Signer, SignerState},
};

/// All that a writer needs.
pub(crate) struct Begun {
    pub(crate) log: AuditLog,
    pub(crate) opened: EpochOpened,
    pub(crate) files: LogFiles,
    pub(crate) leaves: Leaves,
    pub(crate) growth: Growth,
    pub(crate) signer: Signer,
    /// When the server made the stream: another time is another stream.
    pub(crate) stream_created: String,
}

pub(crate) async fn begin(parts: &Parts, tenant: &TenantId) -> Result<Begun, Fault> {
    let log = record::load(&parts.context, tenant).await?;
    if let Some(Stopped::Split(split)) = &log.stopped {
        return Err(Fault::Split(Box::new(split.clone())));
    }
    let stream = parts.context.log.record_stream_state(tenant).await?;
    // A server that is starting answers so too.
    let stream = stream.ok_or_else(|| Fault::Log("the record's stream is not there".to_owned()))?;
    if let Some(forgotten) = forgotten(parts, tenant, &log).await? {
        return promotion::go_on(parts, tenant, &log, &forgotten, &stream).await;
    }
    let log = epoch::ensure(parts, tenant, log).await?;
    let opened = log.epoch().cloned().ok_or_else(|| Fault::Log("the log has no epoch".to_owned()))?;
    let files = parts.files(tenant, opened.epoch);
    let leaves = Leaves::new(&opened);
    let signer = Signer::open(&files).await?;
    let growth = match signer.state() {
        None => Growth::default(),
        Some(state) => {
            let before = Before { opened: opened.clone(), files: files.clone(), state: state.clone() };
            let mut growth = resume(parts, tenant, &before, &leaves).await?;
            let differs = match promotion::differs(parts, tenant, &before, &leaves, &stream).await {
                Err(Fault::Damaged { file, why }) => {
                    growth = mended(parts, tenant, &before, &leaves, &file, &why).await?;
                    promotion::differs(parts, tenant, &before, &leaves, &stream).await?
                }
                differs => differs?,
            };
            if differs {
                return promotion::go_on(parts, tenant, &log, &before, &stream).await;
            }
            growth
        }
    };
    Ok(Begun { log, opened, files, leaves, growth, signer, stream_created: stream.created })
}

/// An epoch as its files have it.
pub(crate) struct Before {
    pub(crate) opened: EpochOpened,
    pub(crate) files: LogFiles,
    pub(crate) state: SignerState,
}

/// An epoch that the store remembers and the stream does not: its opening was in the part that the stream lost.
async fn forgotten(parts: &Parts, tenant: &TenantId, log: &AuditLog) -> Result<Option<Before>, Fault> {
    let known = log.epoch().map_or(0, |epoch| epoch.epoch);
    let newest = parts.store.epochs(tenant).await?.pop().filter(|newest| *newest > known);
    let Some(epoch) = newest else { return Ok(None) };
    let files = parts.files(tenant, epoch);
    let Some(state) = SignerState::read(&files).await? else { return Ok(None) };
    let Leaf::Genesis(genesis) = logged(&files, 0, state.size).await? else {
        return Err(Fault::Damaged { file: files.location(), why: "its first leaf is none".to_owned() });
    };
    let previous =
        genesis.previous.map(|old| CheckpointRef { origin: old.origin, size: old.size, root: old.root.to_hex() });
    let opened = EpochOpened {
        origin: genesis.log,
        epoch,
        first_sequence: genesis.first_seq,
        verifier_key: genesis.key,
        previous,
        ..EpochOpened::default()
    };
    Ok(Some(Before { opened, files, state }))
}

/// The tree of the signed state, from its files; or, where files are missing, from the stream.
async fn resume(parts: &Parts, tenant: &TenantId, before: &Before, leaves: &Leaves) -> Result<Growth, Fault> {
    let (files, state) = (&before.files, &before.state);
    if state.origin != before.opened.origin {
        let why = format!("it is of {}, and the log is {}", state.origin, before.opened.origin);
        return Err(Fault::Damaged { file: files.location(), why });
    }
    match Growth::resume(files, state.size).await {
        Ok(growth) => check_root(state, growth),
        Err(Fault::Damaged { file, why }) => mended(parts, tenant, before, leaves, &file, &why).await,
        Err(fault) => Err(fault),
    }
}

/// The tree of the signed state from the stream; files that are missing are written again.
async fn mended(
    parts: &Parts,
    tenant: &TenantId,
    before: &Before,
    leaves: &Leaves,
    file: &str,
    why: &str,
) -> Result<Growth, Fault> {
    tracing::error!(%tenant, file, why, "the log's files are damaged; deriving them again from the stream");
    check_root(&before.state, derive_again(parts, tenant, before, leaves).await?)
}

fn check_root(state: &SignerState, growth: Growth) -> Result<Growth, Fault> {
    if growth.root().to_hex() == state.root {
        return Ok(growth);
    }
    let theirs = CheckpointRef { root: growth.root().to_hex(), ..state.checkpoint() };
    let text = format!("the log's files lead to another root than the one that was signed at size {}", state.size);
    Err(split(state, Some(theirs), "signer state", text))
}

async fn derive_again(parts: &Parts, tenant: &TenantId, before: &Before, leaves: &Leaves) -> Result<Growth, Fault> {
    let (files, state) = (&before.files, &before.state);
    match compare::derive_again(&parts.context.log, tenant, files, leaves, state.size).await {
        Err(Fault::OtherTile { file }) => {
            let text = format!("the file {file} of the log is not what the stream gives now");
            Err(split(state, None, "store", text))
        }
        done => done,
    }
}

pub(crate) fn split(state: &SignerState, theirs: Option<CheckpointRef>, seen_by: &str, text: String) -> Fault {
    let ours = Some(state.checkpoint());
    Fault::Split(Box::new(SplitDetected { ours, theirs, seen_by: seen_by.to_owned(), text }))
}

/// The leaf at an index of a log of this published size.
pub(crate) async fn logged(files: &LogFiles, index: u64, size: u64) -> Result<Leaf, Fault> {
    let bundle = Bundle::read(files, index, size).await?;
    let damaged = |why: String| Fault::Damaged { file: bundle_of(index, size).path(), why };
    let bundle = bundle.map_err(|finding| damaged(finding.to_string()))?;
    Leaf::parse(bundle.leaf(index)).map_err(|error| damaged(error.to_string()))
}
