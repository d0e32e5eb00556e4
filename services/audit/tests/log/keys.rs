//! Keys that change.

use jiff::{SignedDuration, Timestamp};
use muster_domain::pb::audit::v1::{ReadLogFileRequest, RevokeLogKeyRequest, RotateLogKeyRequest};
use muster_runtime::Clock;
use muster_tlog::{
    Checkpoint, Note, Policy, VerifierKey,
    verify::{
        StoredEvent,
        package::{KEY_CHANGES, last_of},
    },
};
use tonic::Code;

use crate::world::{World, eventually};

pub(crate) async fn both_sign_for_a_month_after_a_rotation(world: &World) {
    let mut here = world.installation().await;
    here.start().await;
    here.append(2).await;
    here.all_covered(1).await;
    let rotate = |reason: &str| here.ask(RotateLogKeyRequest { tenant: "acme".into(), reason: reason.into() });
    assert_eq!(here.client().rotate_log_key(rotate("")).await.unwrap_err().code(), Code::InvalidArgument);
    let rotated = here.client().rotate_log_key(rotate("yearly")).await.unwrap().into_inner();
    assert_eq!(here.client().rotate_log_key(rotate("again")).await.unwrap_err().code(), Code::FailedPrecondition);
    let signers = async || {
        let log = here.get_log().await;
        let keys: Vec<VerifierKey> = log.verifier_keys.iter().map(|key| key.parse().unwrap()).collect();
        let (_, _, verified) = Checkpoint::open(log.checkpoint.as_bytes(), &keys).unwrap();
        verified.iter().map(|one| one.key.to_string()).collect::<Vec<_>>()
    };
    eventually("both keys sign", async || signers().await.len() == 2).await;
    let old = here.get_log().await.verifier_keys[0].clone();
    // For who has only the old key: the event that names the new one, as it is stored.
    let ask = ReadLogFileRequest { tenant: "acme".into(), path: KEY_CHANGES.into(), epoch: 0 };
    let changes = here.client().read_log_file(here.ask(ask)).await.unwrap().into_inner().content;
    let changes: Vec<StoredEvent> =
        str::from_utf8(&changes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(changes.len(), 1);
    assert!(changes[0].subject.starts_with("rec.acme.audit-log.record."), "{}", changes[0].subject);
    assert_eq!(signers().await, [old.clone(), rotated.verifier_key.clone()]);
    here.stop().await;

    // After the month the old one is silent, and the policy says up to which size it counts.
    let (clock, _) = Clock::manual(Timestamp::now() + SignedDuration::from_hours(31 * 24));
    let running = crate::world::serve_audit(&here.config, &here.log, &here.db, &clock).await;
    let files = here.files(1);
    eventually("only the new key signs", async || {
        let note = files.read("checkpoint").await.unwrap().unwrap();
        Note::parse(&note).unwrap().signatures().len() == 1
    })
    .await;
    // What it signed last is kept, and covers that event.
    let old_key: VerifierKey = old.parse().unwrap();
    let last = files.read(&last_of(old_key.id())).await.unwrap().unwrap();
    let (last, ..) = Checkpoint::open(&last, &[old_key]).unwrap();
    assert!(last.size > changes[0].seq, "{last:?}");
    let policy = files.read("policy").await.unwrap().unwrap();
    let policy: Policy = str::from_utf8(&policy).unwrap().parse().unwrap();
    let ends: Vec<(String, bool)> =
        policy.logs.iter().map(|log| (log.key.to_string(), log.ends_at.is_some())).collect();
    assert_eq!(ends, [(old, true), (rotated.verifier_key, false)]);
    let note = files.read("checkpoint").await.unwrap().unwrap();
    assert!(policy.judge(&Note::parse(&note).unwrap()).unwrap().quorum);
    running.stop().await;
    assert_eq!(here.findings().await, [""; 0]);
}

pub(crate) async fn a_revoked_key_ends_its_epoch(world: &World) {
    let mut here = world.installation().await;
    here.start().await;
    here.append(10).await;
    let before = here.all_covered(1).await;
    let old = here.get_log().await;
    let revoke = |size| {
        here.ask(RevokeLogKeyRequest {
            tenant: "acme".into(),
            verifier_key: old.verifier_keys[0].clone(),
            last_good_size: size,
            reason: "the laptop was stolen".into(),
        })
    };
    for size in [0, before.size + 1_000] {
        assert_eq!(here.client().revoke_log_key(revoke(size)).await.unwrap_err().code(), Code::InvalidArgument);
    }
    let opened = here.client().revoke_log_key(revoke(5)).await.unwrap().into_inner();
    assert!(opened.origin.ends_with("/record/2") && opened.verifier_key != old.verifier_keys[0]);
    let after = here.all_covered(2).await;
    assert_eq!(after.origin, opened.origin);

    let now = here.get_log().await;
    let epoch = now.epochs.last().unwrap();
    assert_eq!((now.epoch, epoch.reason.as_str(), now.stopped.as_str()), (2, "key revoked", ""));
    assert_eq!(
        epoch.previous.as_ref().map(|previous| (previous.origin.clone(), previous.size)),
        Some((before.origin, 5))
    );
    // What the old key signed later does not count any more.
    let policy = here.files(1).read("policy").await.unwrap().unwrap();
    let policy: Policy = str::from_utf8(&policy).unwrap().parse().unwrap();
    let error = policy.judge(&Note::parse(old.checkpoint.as_bytes()).unwrap()).unwrap_err().to_string();
    assert!(error.contains("ended at size 5"), "{error}");
    assert_eq!(here.findings().await, [""; 0]);
    here.stop().await;
}
