use super::*;

const DOCUMENTS: usize = 40;

fn many_sites() -> String {
    (0..DOCUMENTS).map(|i| format!("kind: Site\nmetadata: {{name: s{i}}}\nspec: {{region: eu}}\n---\n")).collect()
}

async fn present(world: &World, tenant_name: &str) -> usize {
    let mut count = 0;
    for i in 0..DOCUMENTS {
        count += usize::from(world.document(tenant_name, Kind::Site, &format!("s{i}")).await.is_some());
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_that_is_cut_off_leaves_all_or_nothing() {
    let tenants: Vec<String> = (0..20).map(|i| format!("t{i}")).collect();
    let names: Vec<&str> = tenants.iter().map(String::as_str).collect();
    let world = Arc::new(World::new(&names).await);
    let whole = {
        // How long one takes, to cut at all places of it.
        let started = tokio::time::Instant::now();
        world.apply("t0", &many_sites()).await.unwrap();
        started.elapsed()
    };
    let mut seen = std::collections::BTreeSet::new();
    for (i, name) in tenants.iter().enumerate().skip(1) {
        let (moved, name_) = (world.clone(), name.clone());
        let task = tokio::spawn(async move { moved.apply(&name_, &many_sites()).await });
        tokio::time::sleep(whole.mul_f64(i as f64 / 15.0)).await;
        task.abort();
        let ended = task.await;
        let mut count = present(&world, name).await;
        if count > 0 {
            // What was on its way may have landed while it was counted: then all of it is there now.
            count = present(&world, name).await;
        }
        assert!(count == 0 || count == DOCUMENTS, "{count} of {DOCUMENTS} after {ended:?}");
        seen.insert(count);
    }
    assert!(seen.contains(&0), "nothing was cut off in time: the test proves nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_log_server_leaves_all_or_nothing_and_repeating_completes_it() {
    let mut world = World::new(&["acme"]).await;
    for round in 0..6_u64 {
        let name = format!("r{round}");
        world.log.provision_tenant(&tenant(&name)).await.unwrap();
        let (log, db, command) = (world.log.clone(), world.db.clone(), meta());
        let (by, tenant_id) = (command.clone(), tenant(&name));
        let task = tokio::spawn(async move {
            let manifest = many_sites();
            Apply { log: &log, db: &db, tenant: &tenant_id, manifest: &manifest, meta: &by }.run().await
        });
        tokio::time::sleep(Duration::from_millis(6 * round)).await;
        world.nats.kill().await.unwrap();
        world.nats.restart().await.unwrap();
        let ended = task.await.unwrap();
        let count = present(&world, &name).await;
        assert!(count == 0 || count == DOCUMENTS, "{count} of {DOCUMENTS} after {ended:?}");
        assert!(ended.is_err() || count == DOCUMENTS, "said to be done, and is not: {ended:?}");
        // The same command again: done now, and not twice.
        let again = world.apply_with(&name, &many_sites(), &command).await.unwrap();
        assert_eq!(present(&world, &name).await, DOCUMENTS);
        assert!(again.documents.iter().all(|applied| applied.document.as_ref().unwrap().version == 1));
    }
}
