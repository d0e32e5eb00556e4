//! Logs that begin.

use muster_tlog::{Leaf, Policy, bundle::decode_bundle, tile::bundle_of};

use crate::world::{World, acme, eventually};

pub(crate) async fn a_new_tenants_log_begins_by_itself(world: &World) {
    let mut here = world.installation().await;
    let before = here.append(3).await;
    here.start().await;
    here.covered(1, before.last().unwrap().1).await;
    let after = here.append(300).await;
    let checkpoint = here.all_covered(1).await;
    assert!(checkpoint.size > after.last().unwrap().1);

    // Everything that a reader needs is there, and agrees.
    let log = here.get_log().await;
    assert_eq!((log.origin.as_str(), log.epoch, log.stopped.as_str()), (checkpoint.origin.as_str(), 1, ""));
    assert!(log.origin.starts_with("audit.example/") && log.origin.ends_with("/record/1"), "{}", log.origin);
    assert!(!log.origin.contains("acme"), "witnesses see no customer's name");
    let policy: Policy = log.policy.parse().unwrap();
    let judged = policy.judge(&muster_tlog::Note::parse(log.checkpoint.as_bytes()).unwrap()).unwrap();
    assert!(judged.quorum && judged.checkpoint == checkpoint);
    assert_eq!(log.verifier_keys, [judged.signed_by[0].to_string()]);

    // Index is sequence, and index 0 says what the log is.
    let bundle = bundle_of(0, checkpoint.size);
    let bytes = here.files(1).read(&bundle.path()).await.unwrap().unwrap();
    let leaves = decode_bundle(&bytes, usize::from(bundle.width)).unwrap();
    let Leaf::Genesis(genesis) = Leaf::parse(leaves[0]).unwrap() else { panic!("no genesis leaf") };
    assert_eq!((genesis.first_seq, genesis.previous, genesis.key), (1, None, log.verifier_keys[0].clone()));
    for (index, leaf) in leaves.iter().enumerate().skip(1) {
        let Leaf::Event(event) = Leaf::parse(leaf).unwrap() else { panic!("index {index} is no event") };
        assert_eq!(
            (event.seq, event.stream.as_str(), event.log.as_str()),
            (index as u64, "record", log.origin.as_str())
        );
        assert!(event.subject.starts_with("rec.acme."), "{}", event.subject);
    }
    assert_eq!(here.findings().await, [""; 0]);

    // A tenant that comes later begins as well.
    let late = "late".parse().unwrap();
    here.log.provision_tenant(&late).await.unwrap();
    let store = here.store().join("late/1/checkpoint");
    eventually("the new tenant's log", async || store.is_file()).await;
    here.stop().await;
}

pub(crate) async fn missing_sequences_are_gap_leaves(world: &World) {
    let mut here = world.installation().await;
    // A stream that lets messages be deleted, in place of ours, before anything is logged.
    let client = async_nats::connect(world.nats.url()).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let name = here.log.record_stream_name(&acme());
    let mut config = jetstream.get_stream(&name).await.unwrap().cached_info().config.clone();
    jetstream.delete_stream(&name).await.unwrap();
    (config.deny_delete, config.deny_purge) = (false, false);
    let stream = jetstream.create_stream(config).await.unwrap();
    here.append(6).await;
    for sequence in [1, 3, 4, 6] {
        stream.delete_message(sequence).await.unwrap();
    }
    here.start().await;
    let checkpoint = here.covered(1, 7).await;
    let bundle = bundle_of(0, checkpoint.size);
    let bytes = here.files(1).read(&bundle.path()).await.unwrap().unwrap();
    let leaves = decode_bundle(&bytes, usize::from(bundle.width)).unwrap();
    let kinds: Vec<String> = leaves[..8]
        .iter()
        .map(|leaf| match Leaf::parse(leaf).unwrap() {
            Leaf::Genesis(_) => "genesis".to_owned(),
            Leaf::Event(event) => event.seq.to_string(),
            Leaf::Gap(gap) => format!("gap {} {}", gap.seq, gap.reason),
        })
        .collect();
    let missing = "the stream has no entry with this sequence";
    let expected = [
        "genesis".to_owned(),
        "gap 1 removed from the beginning of the stream".to_owned(),
        "2".to_owned(),
        format!("gap 3 {missing}"),
        format!("gap 4 {missing}"),
        "5".to_owned(),
        format!("gap 6 {missing}"),
        // The log's own opening.
        "7".to_owned(),
    ];
    assert_eq!(kinds, expected);
    let gaps: Vec<(u64, u64)> = here
        .own_events()
        .await
        .into_iter()
        .filter_map(|event| match event {
            muster_domain::pb::audit::v1::audit_log_event::Event::GapDetected(gap) => {
                Some((gap.first_sequence, gap.last_sequence))
            }
            _ => None,
        })
        .collect();
    assert_eq!(gaps, [(1, 1), (3, 4), (6, 6)]);
    // Begun again, it knows its gaps and opens no new epoch.
    here.stop().await;
    here.start().await;
    let more = here.append(1).await;
    here.covered(1, more[0].1).await;
    assert_eq!(here.life().await.epochs.len(), 1);
    assert_eq!(here.findings().await, [""; 0]);
    here.stop().await;
}

pub(crate) async fn two_processes_write_one_tree(world: &World) {
    let here = world.installation().await;
    let (one, two) = (here.another().await, here.another().await);
    for _ in 0..20 {
        here.append(20).await;
    }
    let checkpoint = here.all_covered(1).await;
    assert_eq!(here.findings().await, [""; 0]);
    // The one that signs ends; the other takes over.
    one.stop().await;
    let more = here.append(5).await;
    let later = here.covered(1, more.last().unwrap().1).await;
    assert_eq!(later.origin, checkpoint.origin);
    two.stop().await;
    assert_eq!(here.findings().await, [""; 0]);
    assert_eq!(here.life().await.epochs.len(), 1);
}
