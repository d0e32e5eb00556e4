use muster_domain::pb::request::v1::{RequestEvent, RequestMember, RequestOpened, RequestWithdrawn, request_event};
use muster_domain::request::Request;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_others_need_stays_until_they_are_gone() {
    let world = World::new(&["acme", "muster"]).await;
    let group = "kind: Group\nmetadata: {name: shop}\nspec: {members: [{resource: orders-db}]}\n";
    world.apply("acme", &format!("{SITES}{}{group}", resource("orders-db", "30s"))).await.unwrap();

    match world.retire("acme", Kind::Site, "fra").await {
        Err(CommandError::Refused(refusal)) => {
            assert_eq!((refusal.code.as_str(), refusal.value.as_str()), ("DOCUMENT_IN_USE", "resource orders-db"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(refusal_code(world.retire("acme", Kind::Resource, "orders-db").await), "DOCUMENT_IN_USE");
    let first = world.retire("acme", Kind::Group, "shop").await.unwrap();
    assert_eq!(world.retire("acme", Kind::Group, "shop").await.unwrap(), first, "retiring again changes nothing");

    // A request that is under way holds everything it is about.
    world.apply("acme", group).await.unwrap();
    let id = muster_domain::AggregateId::from(Uuid::now_v7());
    let member = RequestMember { resource: "orders-db".into(), ..Default::default() };
    let opened = RequestOpened { group: "shop".into(), members: vec![member], ..Default::default() };
    let opened = RequestEvent { event: Some(request_event::Event::Opened(opened)) };
    let appended = world.log.append::<Request>(&tenant("acme"), &id, 1, &meta(), &opened).await.unwrap();
    world.tables_reach("acme", appended.sequence).await;
    assert_eq!(refusal_code(world.retire("acme", Kind::Group, "shop").await), "DOCUMENT_IN_USE");
    let lapsed = RequestEvent { event: Some(request_event::Event::BreakGlassLapsed(Default::default())) };
    let appended = world.log.append::<Request>(&tenant("acme"), &id, 2, &meta(), &lapsed).await.unwrap();
    world.tables_reach("acme", appended.sequence).await;
    world.retire("acme", Kind::Group, "shop").await.unwrap();
    let (id, open) = open_request(&world, "orders-db").await;
    assert_eq!(refusal_code(world.retire("acme", Kind::Resource, "orders-db").await), "DOCUMENT_IN_USE");
    let changed = world.apply("acme", &resource("orders-db", "1m")).await.unwrap();
    assert!(
        changed.documents[0].warnings.iter().any(|warning| warning.contains(&open)),
        "{:?}",
        changed.documents[0].warnings
    );
    let withdrawn = RequestEvent { event: Some(request_event::Event::Withdrawn(RequestWithdrawn::default())) };
    world.log.append::<Request>(&tenant("acme"), &id, 2, &meta(), &withdrawn).await.unwrap();

    world.retire("acme", Kind::Resource, "orders-db").await.unwrap();
    world.retire("acme", Kind::Site, "fra").await.unwrap();
    let document = world.document("acme", Kind::Site, "fra").await.unwrap();
    assert!(document.retired && document.version == 2);

    // Its name can be declared again, and what needs it is refused until then.
    assert!(!fault_fields(world.apply("acme", &resource("orders-db", "30s")).await).is_empty());
    let back = world.apply("acme", SITES).await.unwrap();
    assert_eq!(actions(&back), [ApplyAction::Created, ApplyAction::Unchanged]);
    assert_eq!(world.document("acme", Kind::Site, "fra").await.unwrap().version, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retirement_and_a_declaration_that_needs_it_do_not_cross() {
    let world = World::new(&["acme"]).await;
    for round in 0..15 {
        world.apply("acme", SITES).await.unwrap();
        let name = format!("r{round}");
        let manifest = resource(&name, "30s");
        let (declared, retired) = tokio::join!(world.apply("acme", &manifest), world.retire("acme", Kind::Site, "fra"));
        assert!(declared.is_ok() != retired.is_ok(), "round {round}: {declared:?} {retired:?}");
        if declared.is_ok() {
            world.retire("acme", Kind::Resource, &name).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retirement_names_what_exists_and_says_why() {
    let world = World::new(&["acme", "muster"]).await;
    assert_eq!(refusal_code(world.retire("acme", Kind::Site, "nowhere").await), "DOCUMENT_NOT_FOUND");
    assert_eq!(refusal_code(world.retire("acme", Kind::Unspecified, "x").await), "FIELD_INVALID");
    assert_eq!(refusal_code(world.retire("acme", Kind::Site, "Not A Name").await), "FIELD_INVALID");
    let (acme, meta) = (tenant("acme"), meta());
    let silent = Retire {
        log: &world.log,
        db: &world.db,
        tenant: &acme,
        kind: Kind::Site,
        name: "fra",
        reason: " ",
        meta: &meta,
    };
    assert_eq!(refusal_code(silent.run().await), "FIELD_INVALID");

    world.apply("muster", "kind: Tenant\nmetadata: {name: initech}\nspec: {}\n").await.unwrap();
    world.apply("initech", &format!("{SITES}{}", resource("db", "30s"))).await.unwrap();
    assert_eq!(refusal_code(world.retire("muster", Kind::Tenant, "initech").await), "DOCUMENT_IN_USE");
    world.retire("initech", Kind::Resource, "db").await.unwrap();
    world.retire("muster", Kind::Tenant, "initech").await.unwrap();
}

/// A request as the approval service would open it, and its id in words.
async fn open_request(world: &World, resource: &str) -> (muster_domain::AggregateId, String) {
    let id = Uuid::now_v7();
    let opened =
        RequestOpened { request_id: id.to_string(), resource: resource.to_owned(), ..RequestOpened::default() };
    let event = RequestEvent { event: Some(request_event::Event::Opened(opened)) };
    let appended = world.log.append::<Request>(&tenant("acme"), &id.into(), 1, &meta(), &event).await.unwrap();
    world.tables_reach("acme", appended.sequence).await;
    (id.into(), id.to_string())
}
