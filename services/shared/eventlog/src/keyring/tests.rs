#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

use std::{fs, os::unix::fs::PermissionsExt, sync::Arc};

use muster_domain::TenantId;

use super::{FileKeyring, KeyId, Keyring, KeyringError, TenantKey};

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

fn open(dir: &tempfile::TempDir) -> FileKeyring {
    FileKeyring::open(dir.path().join("keys")).unwrap()
}

async fn created(keyring: &FileKeyring, of: &str) -> KeyId {
    match keyring.create(&tenant(of)).await.unwrap() {
        TenantKey::Present(id) => id,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn of_many_creators_one_wins_and_all_get_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let rings: Vec<_> = (0..16).map(|_| Arc::new(open(&dir))).collect();
    let creators = rings.iter().cloned().map(|ring| {
        std::thread::spawn(move || futures::executor::block_on(async move { created(&ring, "acme").await }))
    });
    let ids: Vec<KeyId> = creators.collect::<Vec<_>>().into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let mut keys = Vec::new();
    for ring in &rings {
        keys.push(*ring.derive(&tenant("acme"), ids[0], &[[7; 32]]).await.unwrap()[0].expose());
    }
    assert!(keys.iter().all(|key| *key == keys[0]));
    let files: Vec<_> = fs::read_dir(dir.path().join("keys")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(files, ["acme.key"], "no drafts are left");
}

#[tokio::test]
async fn keys_differ_by_tenant_and_salt_and_are_the_same_again() {
    let dir = tempfile::tempdir().unwrap();
    let ring = open(&dir);
    let (acme, globex) = (created(&ring, "acme").await, created(&ring, "globex").await);
    assert_ne!(acme, globex);
    let derived = ring.derive(&tenant("acme"), acme, &[[1; 32], [2; 32], [1; 32]]).await.unwrap();
    let of_globex = ring.derive(&tenant("globex"), globex, &[[1; 32]]).await.unwrap();
    assert_eq!(derived[0].expose(), derived[2].expose());
    assert_ne!(derived[0].expose(), derived[1].expose());
    assert_ne!(derived[0].expose(), of_globex[0].expose());
    let again = open(&dir).derive(&tenant("acme"), acme, &[[1; 32]]).await.unwrap();
    assert_eq!(derived[0].expose(), again[0].expose());
    // Another tenant's key is not this tenant's.
    let wrong = ring.derive(&tenant("globex"), acme, &[[1; 32]]).await;
    assert!(matches!(wrong, Err(KeyringError::Unknown { .. })), "{wrong:?}");
}

#[tokio::test]
async fn a_destroyed_key_is_gone_for_every_process_and_has_no_successor() {
    let dir = tempfile::tempdir().unwrap();
    let (ring, beside) = (open(&dir), open(&dir));
    let id = created(&ring, "acme").await;
    // Both have it in memory.
    for ring in [&ring, &beside] {
        ring.derive(&tenant("acme"), id, &[[1; 32]]).await.unwrap();
    }
    let copy = fs::read(dir.path().join("keys/acme.key")).unwrap();
    let gone = ring.destroy(&tenant("acme"), id).await.unwrap();
    assert_eq!(gone, ring.destroy(&tenant("acme"), id).await.unwrap(), "the same receipt again");
    assert!(!dir.path().join("keys/acme.key").exists());
    for ring in [&ring, &beside] {
        let after = ring.derive(&tenant("acme"), id, &[[1; 32]]).await;
        assert!(matches!(after, Err(KeyringError::Destroyed { .. })), "{after:?}");
        assert_eq!(ring.create(&tenant("acme")).await.unwrap(), TenantKey::Destroyed(gone.clone()));
    }
    // A copy that somebody puts back opens nothing while the notice is there.
    fs::write(dir.path().join("keys/acme.key"), copy).unwrap();
    assert_eq!(beside.find(&tenant("acme")).await.unwrap(), TenantKey::Destroyed(gone));
}

#[tokio::test]
async fn others_cannot_read_the_keys() {
    let dir = tempfile::tempdir().unwrap();
    let ring = open(&dir);
    created(&ring, "acme").await;
    let mode = |path: &str| fs::metadata(dir.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("keys"), mode("keys/acme.key")), (0o700, 0o600));
    fs::set_permissions(dir.path().join("keys"), fs::Permissions::from_mode(0o755)).unwrap();
    let refused = FileKeyring::open(dir.path().join("keys")).unwrap_err().to_string();
    assert!(refused.contains("chmod 700"), "{refused}");
}

#[tokio::test]
async fn what_is_no_key_is_said_and_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let ring = open(&dir);
    let path = dir.path().join("keys/acme.key");
    fs::write(&path, "muster-payload-key/v1\nid x\n").unwrap();
    assert!(matches!(ring.create(&tenant("acme")).await, Err(KeyringError::Unavailable { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "muster-payload-key/v1\nid x\n");
}
