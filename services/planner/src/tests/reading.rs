use super::*;
use crate::query;

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_show_what_the_log_says_to_its_tenant_only() {
    let world = World::new(&["acme", "globex"]).await;
    world.apply("acme", &format!("{SITES}{}", resource("orders-db", "30s"))).await.unwrap();
    let version = world.retire("acme", Kind::Resource, "orders-db").await.unwrap();
    world.tables_reach("acme", version).await;
    let (acme, globex) = (tenant("acme"), tenant("globex"));

    let read = query::get(&world.db, &acme, Kind::Resource, "orders-db").await.unwrap().unwrap();
    assert_eq!(Some(read), world.document("acme", Kind::Resource, "orders-db").await);
    assert_eq!(query::get(&world.db, &globex, Kind::Resource, "orders-db").await.unwrap(), None);
    assert!(query::list(&world.db, &globex, None, true, None, 100).await.unwrap().is_empty());

    let names = |documents: Vec<Document>| documents.into_iter().map(|d| d.name).collect::<Vec<_>>();
    assert_eq!(names(query::list(&world.db, &acme, None, false, None, 100).await.unwrap()), ["ams", "fra"]);
    assert_eq!(names(query::list(&world.db, &acme, None, true, None, 100).await.unwrap()), ["orders-db", "ams", "fra"]);
    let after = ("site".to_owned(), "ams".to_owned());
    assert_eq!(names(query::list(&world.db, &acme, Some(Kind::Site), true, Some(&after), 1).await.unwrap()), ["fra"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_needs_the_log_alone() {
    let world = World::new(&["acme"]).await;
    world.apply("acme", SITES).await.unwrap();
    world.db.pool().close().await;
    let applied = world.apply("acme", &resource("orders-db", "30s")).await.unwrap();
    assert_eq!(actions(&applied), [ApplyAction::Created]);
    // Who depends on it cannot be known without the tables: then nothing is taken out of use.
    assert!(matches!(world.retire("acme", Kind::Site, "fra").await, Err(CommandError::Wait(_))));
}
