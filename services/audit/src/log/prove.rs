//! Proof of one event, and the leaves as the stream gives them now.

use std::pin::Pin;

use futures::{Stream, StreamExt as _};
use muster_domain::{TenantId, pb::audit::v1 as pb, refusal::field_refusal};
use muster_logstore::LogFiles;
use muster_runtime::{Call, Context, refused, status::internal, unavailable};
use muster_tlog::{Checkpoint, Leaf, Note, TlogProof};
use tonic::Status;

use super::{
    compare::{Bundle, Derived},
    fault::Fault,
    leaves::Leaves,
    proofs::Proofs,
    publish::{CHECKPOINT, PENDING},
    rpc::{begun, into_status, store, store_away},
};

/// Leaves in one message: about 100 KiB.
const LEAVES_AT_ONCE: usize = 256;

pub(crate) async fn prove_event(
    context: &Context,
    call: Call<pb::ProveEventRequest>,
) -> Result<pb::ProveEventResponse, Status> {
    let (store, ask) = (store(context)?, &call.message);
    let sequence = match (ask.event_id.as_str(), ask.sequence) {
        ("", 0) => return Err(refused(&which(""))),
        ("", sequence) => sequence,
        (id, _) => sequence_of(context, &call.tenant, id).await?,
    };
    let log = begun(context, &call.tenant).await?;
    let opened = log.epoch().cloned().unwrap_or_default();
    let files = store.log(&call.tenant, opened.epoch);
    let Some(index) = Leaves::new(&opened).index_of(sequence) else {
        return Err(refused(&which(&sequence.to_string())));
    };
    let Some((note, checkpoint, witnessed)) = covering(&files, index).await? else {
        return Err(unavailable("a checkpoint over this event", "it follows within a second of the event; ask again"));
    };
    let proof = Proofs::new(files.clone()).inclusion(index, checkpoint.size).await;
    let hashes = proof.map_err(|error| damaged(&error.to_string()))?;
    let bundle = Bundle::read(&files, index, checkpoint.size).await.map_err(|fault| into_status(&fault))?;
    let leaf = bundle.map_err(|finding| damaged(&finding.to_string()))?.leaf(index).to_vec();
    let proof = TlogProof { leaf, index, hashes, checkpoint: note };
    // A wrong proof is never handed out: it would look like a forged event.
    proof.verify().map_err(|error| damaged(&error.to_string()))?;
    Ok(pb::ProveEventResponse { proof: proof.to_string().into_bytes(), witnessed, sequence })
}

/// The newest witnessed checkpoint if it covers the leaf, else the newest signed one.
async fn covering(files: &LogFiles, index: u64) -> Result<Option<(Note, Checkpoint, bool)>, Status> {
    for (file, witnessed) in [(CHECKPOINT, true), (PENDING, false)] {
        let Some(content) = files.read(file).await.map_err(|error| store_away(&error))? else { continue };
        let note = Note::parse(&content).map_err(|error| damaged(&error.to_string()))?;
        let checkpoint: Checkpoint = note.text().parse().map_err(|error| damaged(&format!("{file}: {error}")))?;
        if index < checkpoint.size {
            return Ok(Some((note, checkpoint, witnessed)));
        }
    }
    Ok(None)
}

fn damaged(what: &str) -> Status {
    tracing::error!(what, "the transparency log is damaged");
    Status::data_loss(format!("the log is damaged: {what}; run `muster audit fsck`"))
}

fn which(value: &str) -> muster_domain::Refusal {
    field_refusal(
        "event_id",
        "FIELD_INVALID",
        "a proof is of one event of the present epoch",
        value,
        "an event's id, or its sequence",
        "copy one from `muster audit list`",
    )
}

async fn sequence_of(context: &Context, tenant: &TenantId, event_id: &str) -> Result<u64, Status> {
    let unknown = || refused(&which(event_id));
    let id: uuid::Uuid = event_id.parse().map_err(|_| unknown())?;
    let mut tx = context.db.tenant_tx(tenant).await.map_err(|error| internal(&error))?;
    let found =
        sqlx::query_scalar::<_, i64>("SELECT sequence FROM audit.record WHERE tenant = $1 AND event_id = $2 LIMIT 1")
            .bind(tenant.as_str())
            .bind(id)
            .fetch_optional(&mut *tx)
            .await
            .map_err(|error| internal(&error))?;
    found.map(i64::cast_unsigned).ok_or_else(unknown)
}

type LeafStream = Pin<Box<dyn Stream<Item = Result<pb::StreamLeavesResponse, Status>> + Send>>;

/// The leaves of these sequences, derived from the stream at this moment and not from the log's files. A sequence that
/// the stream does not have is a gap leaf: the logged one where that is a gap too, as it knows the reason.
pub(crate) async fn stream_leaves(
    context: &Context,
    call: Call<pb::StreamLeavesRequest>,
) -> Result<LeafStream, Status> {
    let (store, ask) = (store(context)?, &call.message);
    let log = begun(context, &call.tenant).await?;
    let opened = log.epoch().cloned().unwrap_or_default();
    let leaves = Leaves::new(&opened);
    let from = ask.from_sequence.max(leaves.first_sequence());
    let to = match ask.to_sequence {
        0 => u64::MAX,
        to => to,
    };
    let (log, tenant, expiry) = (context.log.clone(), call.tenant.clone(), call.expiry());
    let files = store.log(&tenant, opened.epoch);
    let first = leaves.index_of(from).unwrap_or(1);
    let reader = Reader { derived: Derived::from(&log, &tenant, leaves, first), files, next: from, to };
    let messages = futures::stream::try_unfold(reader, |mut reader| async move {
        let leaves = reader.some().await.map_err(|fault| into_status(&fault))?;
        Ok((!leaves.is_empty()).then_some((pb::StreamLeavesResponse { leaves }, reader)))
    });
    Ok(Box::pin(messages.take_until(expiry)))
}

struct Reader {
    derived: Derived,
    files: LogFiles,
    next: u64,
    to: u64,
}

impl Reader {
    async fn some(&mut self) -> Result<Vec<Vec<u8>>, Fault> {
        let mut leaves = Vec::new();
        while self.next <= self.to && leaves.len() < LEAVES_AT_ONCE {
            let Some(leaf) = self.derived.next().await? else { break };
            let leaf = leaf.map_err(|why| Fault::Log(format!("sequence {} cannot be a leaf: {why}", self.next)))?;
            leaves.push(self.known_gap(leaf).await);
            self.next += 1;
        }
        Ok(leaves)
    }

    async fn known_gap(&self, leaf: String) -> Vec<u8> {
        if !matches!(Leaf::parse(leaf.as_bytes()), Ok(Leaf::Gap(_))) {
            return leaf.into_bytes();
        }
        let logged = self.logged().await.filter(|logged| super::leaves::same(logged, &leaf));
        logged.unwrap_or_else(|| leaf.into_bytes())
    }

    async fn logged(&self) -> Option<Vec<u8>> {
        let pending = self.files.read(PENDING).await.ok()??;
        let size = super::witnessing::reference(&pending)?.size;
        let index = self.derived.index_before();
        let bundle = Bundle::read(&self.files, index, size).await.ok()?.ok()?;
        Some(bundle.leaf(index).to_vec())
    }
}
