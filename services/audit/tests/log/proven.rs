//! Events proven, files read.

use muster_domain::pb::audit::v1::{ProveEventRequest, ReadLogFileRequest, StreamLeavesRequest};
use muster_tlog::{Leaf, Policy, TlogProof, bundle::decode_bundle, tile::bundle_of};
use tonic::Code;

use crate::world::{World, eventually};

pub(crate) async fn an_event_is_proven_by_id_and_by_sequence(world: &World) {
    let mut here = world.installation().await;
    here.start().await;
    let events = here.append(40).await;
    let (id, sequence) = events[20];
    here.covered(1, events.last().unwrap().1).await;
    let prove = async |event_id: String, sequence: u64| {
        let ask = ProveEventRequest { tenant: "acme".into(), event_id, sequence };
        here.client().prove_event(here.ask(ask)).await
    };
    // The list follows the record a moment later.
    let mut by_id = None;
    eventually("the event is listed", async || {
        by_id = prove(id.to_string(), 0).await.ok();
        by_id.is_some()
    })
    .await;
    let policy: Policy = here.get_log().await.policy.parse().unwrap();
    for answer in [by_id.unwrap().into_inner(), prove(String::new(), sequence).await.unwrap().into_inner()] {
        assert!(answer.witnessed && answer.sequence == sequence);
        let proof = TlogProof::parse(&answer.proof).unwrap();
        let (leaf, _) = proof.verify().unwrap();
        assert_eq!((leaf.sequence(), proof.index), (Some(sequence), sequence));
        assert!(policy.judge(&proof.checkpoint).unwrap().quorum);
    }
    for (event_id, sequence) in [("", 0), ("not-an-id", 0), ("01890000-0000-7000-8000-000000000000", 0)] {
        assert_eq!(prove(event_id.into(), sequence).await.unwrap_err().code(), Code::InvalidArgument, "{event_id}");
    }
    assert_eq!(prove(String::new(), 1_000_000).await.unwrap_err().code(), Code::Unavailable);
    here.stop().await;
}

pub(crate) async fn readers_get_the_files_of_the_log_and_nothing_else(world: &World) {
    let mut here = world.installation().await;
    here.start().await;
    here.append(600).await;
    let checkpoint = here.all_covered(1).await;
    let read = async |path: &str| {
        let ask = ReadLogFileRequest { tenant: "acme".into(), path: path.into(), epoch: 0 };
        here.client().read_log_file(here.ask(ask)).await.map(|answer| answer.into_inner().content)
    };
    assert_eq!(read("checkpoint").await.unwrap(), here.get_log().await.checkpoint.into_bytes());
    for path in ["signer", "status", "../../keys/acme", "tile/entries/../../signer", "", "/etc/passwd", "tile/0/1"] {
        assert_eq!(read(path).await.unwrap_err().code(), Code::InvalidArgument, "{path}");
    }
    assert_eq!(read("tile/0/999").await.unwrap_err().code(), Code::NotFound);

    // What the stream gives now is what was logged.
    let ask = StreamLeavesRequest { tenant: "acme".into(), from_sequence: 250, to_sequence: 520 };
    let mut messages = here.client().stream_leaves(here.ask(ask)).await.unwrap().into_inner();
    let mut leaves = Vec::new();
    while let Some(message) = messages.message().await.unwrap() {
        leaves.extend(message.leaves);
    }
    assert_eq!(leaves.len(), 271);
    for (leaf, sequence) in leaves.iter().zip(250..) {
        assert_eq!(Leaf::parse(leaf).unwrap().sequence(), Some(sequence));
        let bundle = bundle_of(sequence, checkpoint.size);
        let bytes = read(&bundle.path()).await.unwrap();
        let logged = decode_bundle(&bytes, usize::from(bundle.width)).unwrap();
        assert_eq!(logged[(sequence - bundle.start()) as usize], leaf.as_slice(), "sequence {sequence}");
    }
    here.stop().await;
}
