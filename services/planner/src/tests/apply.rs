use ApplyAction::{Changed, Created, Unchanged};

use super::*;
use crate::changeset::{Basis, Changeset};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_declared_is_created_once_and_then_unchanged() {
    let world = World::new(&["acme"]).await;
    // The resource comes before its sites: order does not matter.
    let manifest = format!("{}{SITES}", resource("orders-db", "30s"));

    let tried = world.dry_run("acme", &manifest).await.unwrap();
    assert_eq!(actions(&tried), [Created, Created, Created]);
    assert_eq!(world.document("acme", Kind::Site, "fra").await, None, "a dry run writes nothing");

    let first = world.apply("acme", &manifest).await.unwrap();
    assert_eq!(actions(&first), [Created, Created, Created]);
    let again = world.apply("acme", &manifest).await.unwrap();
    assert_eq!(actions(&again), [Unchanged, Unchanged, Unchanged]);
    assert_eq!(again.version, first.version);

    let changed = world.apply("acme", &resource("orders-db", "1m")).await.unwrap();
    assert_eq!(actions(&changed), [Changed]);
    let difference = &changed.documents[0].changes;
    assert_eq!(difference.len(), 1, "{difference:?}");
    assert_eq!(
        (difference[0].field.as_str(), difference[0].from.as_str(), difference[0].to.as_str()),
        ("spec.rpo", "30s", "60s")
    );
    let document = world.document("acme", Kind::Resource, "orders-db").await.unwrap();
    assert_eq!((document.version, document.declared_by.as_str()), (2, "https://idp.example|ada"));
    // What a manifest leaves out stays.
    assert!(!world.document("acme", Kind::Site, "fra").await.unwrap().retired);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_command_sent_twice_answers_the_same() {
    let world = World::new(&["acme"]).await;
    world.apply("acme", &format!("{SITES}{}", resource("a", "30s"))).await.unwrap();
    let command = meta();
    let manifest = format!("{}{}", resource("a", "1m"), resource("b", "30s"));
    let first = world.apply_with("acme", &manifest, &command).await.unwrap();
    assert_eq!(actions(&first), [Changed, Created]);
    let second = world.apply_with("acme", &manifest, &command).await.unwrap();
    assert_eq!(first, second);

    // Also when the document has moved on since.
    world.apply("acme", &resource("a", "2m")).await.unwrap();
    let third = world.apply_with("acme", &manifest, &command).await.unwrap();
    assert_eq!(first.documents, third.documents);
    assert_eq!(world.document("acme", Kind::Resource, "a").await.unwrap().version, 3);

    let other = format!("{}{}", resource("a", "5m"), resource("b", "30s"));
    assert_eq!(refusal_code(world.apply_with("acme", &other, &command).await), "IDEMPOTENCY_KEY_REUSED");
    let more = format!("{manifest}{}", resource("c", "30s"));
    assert_eq!(refusal_code(world.apply_with("acme", &more, &command).await), "IDEMPOTENCY_KEY_REUSED");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_fault_and_nothing_is_written() {
    let world = World::new(&["acme", "globex", "muster"]).await;
    let manifest = format!(
        "{SITES}{}{}",
        resource("good", "30s"),
        resource("bad", "30s").replace("drSite: ams", "drSite: mars").replace("port: 5432", "port: 99999")
    );
    let fields = fault_fields(world.apply("acme", &manifest).await);
    assert!(fields.contains(&"document 4, line 32, column 11: spec.drSite".to_owned()), "{fields:?}");
    assert!(fields.iter().any(|field| field.ends_with("spec.postgresql.nodes[0].port")), "{fields:?}");
    for (kind, name) in [(Kind::Site, "fra"), (Kind::Resource, "good"), (Kind::Resource, "bad")] {
        assert_eq!(world.document("acme", kind, name).await, None);
    }

    // Another tenant's sites do not count, and a manifest of another tenant is refused.
    world.apply("acme", SITES).await.unwrap();
    assert!(!fault_fields(world.apply("globex", &resource("x", "30s")).await).is_empty());
    let foreign = SITES.replace("{name: fra}", "{name: fra, tenant: acme}");
    assert_eq!(fault_fields(world.apply("globex", &foreign).await), ["document 1, line 2, column 31: metadata.tenant"]);
    assert_eq!(world.document("globex", Kind::Site, "fra").await, None);

    let tenant_document = "kind: Tenant\nmetadata: {name: initech}\nspec: {displayName: Initech}\n";
    assert_eq!(fault_fields(world.apply("acme", tenant_document).await), ["document 1, line 1, column 7: kind"]);
    assert_eq!(fault_fields(world.apply("muster", SITES).await).len(), 2);
    assert_eq!(
        fault_fields(world.apply("muster", &tenant_document.replace("initech", "muster")).await),
        ["document 1, line 2, column 18: metadata.name"]
    );
    assert!(!world.log.tenants().await.unwrap().contains(&tenant("initech")));
    world.apply("muster", tenant_document).await.unwrap();
    assert!(world.log.tenants().await.unwrap().contains(&tenant("initech")));
    world.apply("initech", SITES).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_applies_at_once_each_is_whole() {
    let world = World::new(&["acme"]).await;
    world.apply("acme", SITES).await.unwrap();
    for round in 0..25 {
        // Both change the same three resources, each to a value of its own.
        let manifest = |rpo: &str| ["a", "b", "c"].map(|name| resource(name, rpo)).concat();
        let (left, right) = (manifest(&format!("{}s", 2 * round + 1)), manifest(&format!("{}s", 2 * round + 2)));
        let (left, right) = tokio::join!(world.apply("acme", &left), world.apply("acme", &right));
        let (left, right) = (left.unwrap(), right.unwrap());
        let last = if left.version > right.version { &left } else { &right };
        for applied in &last.documents {
            let document = applied.document.as_ref().unwrap();
            let now = world.document("acme", Kind::Resource, &document.name).await.unwrap();
            assert_eq!(now.spec, document.spec, "round {round}: {} is not the later apply's", document.name);
            assert_eq!(now.version, 2 * round + 2);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changeset_that_was_overtaken_writes_nothing() {
    let world = World::new(&["acme"]).await;
    let declarations = |text: &str| crate::manifest::parse(text, &tenant("acme")).unwrap();
    let (mine, acme) = (meta(), tenant("acme"));
    let basis = Basis { log: &world.log, db: &world.db, tenant: &acme, meta: &mine };
    let overtaken = Changeset::make(&basis, &declarations(&format!("{SITES}{}", resource("a", "30s")))).await.unwrap();
    world.apply("acme", "kind: Site\nmetadata: {name: ams}\nspec: {region: elsewhere}\n").await.unwrap();

    let refused = world.log.append_batch(&acme, overtaken.pending()).await;
    assert!(matches!(refused, Err(muster_eventlog::AppendError::Conflict { .. })), "{refused:?}");
    assert_eq!(world.document("acme", Kind::Site, "fra").await, None);
    assert_eq!(world.document("acme", Kind::Resource, "a").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_manifest_is_one_batch() {
    let world = World::new(&["acme"]).await;
    let site = |i: usize| format!("kind: Site\nmetadata: {{name: s{i}}}\nspec: {{}}\n---\n");
    let largest: String = (0..crate::manifest::MAX_DOCUMENTS).map(site).collect();
    let applied = actions(&world.apply("acme", &largest).await.unwrap());
    assert!(applied.len() == crate::manifest::MAX_DOCUMENTS && applied.iter().all(|action| *action == Created));
}
