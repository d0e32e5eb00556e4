use muster_domain::{
    pb::plan::v1::{LintSeverity, PlanState, ProofState},
    plan::Plan,
};
use tonic::Code;

use crate::world::{PLAN, World, changed_member, plan, refusal};

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_published_by_another_person_than_who_wrote_and_submitted_it() {
    let world = World::start().await;
    let draft = world.olga().get().await.unwrap();
    assert_eq!((draft.state(), draft.proof()), (PlanState::Draft, ProofState::Untested));
    let loud: Vec<_> = draft.findings.iter().filter(|lint| lint.severity() != LintSeverity::Info).collect();
    assert!(loud.is_empty(), "{loud:?}");

    let submitted = world.olga().submit(1).await.unwrap();
    assert_eq!(submitted.state(), PlanState::InReview);
    let hash = submitted.newest.clone().unwrap().hash;
    assert_eq!(hash.len(), 64);
    // Again changes nothing.
    world.olga().submit(1).await.unwrap();
    assert_eq!(world.version_of::<Plan>(PLAN).await, 1);

    // The one who submitted it, with every role; and the one who declared it.
    let olga = world.person("olga", &["operator", "it", "admin"]);
    assert_eq!(refusal(olga.publish(&hash).await).code, "PUBLISHER_IS_AUTHOR");
    assert_eq!(refusal(world.ada().publish(&hash).await).code, "PUBLISHER_IS_AUTHOR");
    let other = refusal(world.ingo().publish(&"0".repeat(64)).await);
    assert_eq!((other.code.as_str(), other.field.as_str()), ("PLAN_CHANGED", "hash"));

    let published = world.ingo().publish(&hash).await.unwrap();
    assert_eq!((published.state(), published.published.unwrap().version), (PlanState::Published, 1));
    assert_eq!(published.publication.unwrap().actor.unwrap().name, "ingo");
    assert_eq!(refusal(world.ingo().return_("too late").await).code, "PLAN_NOT_IN_REVIEW");
    assert_eq!(world.version_of::<Plan>(PLAN).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_between_submit_and_publish_is_refused() {
    let world = World::start().await;
    let hash = world.olga().submit(1).await.unwrap().newest.unwrap().hash;

    // A member of the group: the text of the plan is the same.
    world.ada().apply(&changed_member()).await.unwrap();
    assert_eq!(refusal(world.ingo().publish(&hash).await).code, "PLAN_CHANGED");
    let changed = world.olga().submit(1).await.unwrap().newest.unwrap().hash;
    assert_ne!(changed, hash);

    // The text itself. What was submitted is not the newest any more.
    world.ada().apply(&plan("in one go")).await.unwrap();
    assert_eq!(refusal(world.ingo().publish(&changed).await).code, "PLAN_CHANGED");
    assert_eq!(refusal(world.olga().submit(1).await).code, "PLAN_VERSION_OLD");
    let newest = world.olga().submit(2).await.unwrap().newest.unwrap();
    assert_eq!(refusal(world.ingo().publish(&changed).await).code, "PLAN_CHANGED");
    let published = world.ingo().publish(&newest.hash).await.unwrap();
    assert_eq!(published.published.unwrap(), newest);

    // Changed after it was published: the published text stays in use, and the new one is a draft.
    world.ada().apply(&plan("in two goes")).await.unwrap();
    let view = world.becomes("a draft", |view| view.state() == PlanState::Draft).await;
    assert_eq!((view.newest.unwrap().version, view.published.unwrap().version), (3, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_and_a_publish_at_once_never_publish_what_was_changed() {
    let world = World::start().await;
    for round in 0..8 {
        let version = world.becomes("there", |view| view.newest.is_some()).await.newest.unwrap().version;
        let submitted = world.olga().submit(version).await.unwrap().newest.unwrap();
        let (ada, ingo, text) = (world.ada(), world.ingo(), plan(&format!("round {round}")));
        let (applied, published) = tokio::join!(ada.apply(&text), ingo.publish(&submitted.hash));
        applied.unwrap();
        match published {
            // It came first: what was reviewed is what is in use.
            Ok(view) => assert_eq!(view.published.unwrap(), submitted),
            Err(status) => assert_eq!(refusal::<()>(Err(status)).code, "PLAN_CHANGED"),
        }
        world.becomes("newer", |view| view.newest.as_ref().is_some_and(|newest| newest.version > version)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_publish_at_once_and_it_is_published_once() {
    let world = World::start().await;
    let hash = world.olga().submit(1).await.unwrap().newest.unwrap().hash;
    let (ingo, inga) = (world.ingo(), world.person("inga", &["it"]));
    let (one, other) = tokio::join!(ingo.publish(&hash), inga.publish(&hash));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.publication, other.publication);
    assert_eq!(world.version_of::<Plan>(PLAN).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_role_for_it_and_other_tenants_are_refused() {
    let world = World::start().await;
    let hash = world.olga().submit(1).await.unwrap().newest.unwrap().hash;
    let vera = world.person("vera", &["viewer"]);
    for denied in [vera.submit(1).await, vera.return_("no").await, vera.publish(&hash).await] {
        assert_eq!(denied.unwrap_err().code(), Code::PermissionDenied);
    }
    // Who submits does not publish, and who publishes does not submit.
    assert_eq!(refusal(world.olga().publish(&hash).await).code, "ROLE_MISSING");
    assert_eq!(refusal(world.ingo().submit(1).await).code, "ROLE_MISSING");

    let stranger = world.person("gus", &["globex-admin"]);
    assert_eq!(refusal(stranger.get().await).code, "ACCESS_DENIED");
    assert_eq!(refusal(stranger.publish(&hash).await).code, "ACCESS_DENIED");
    // In their own tenant there is no such plan, whatever there is elsewhere.
    assert_eq!(refusal(stranger.get_in("globex", 0).await).code, "PLAN_NOT_FOUND");
    assert_eq!(world.version_of::<Plan>(PLAN).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_keep_a_plan_from_being_submitted_and_lint_names_them() {
    let world = World::start().await;
    let broken = plan("")
        .replace("        - id: move-carts\n", "        - id: move-again\n")
        .replace("move: carts-db", "move: orders-db");
    let codes = |response: muster_domain::pb::plan::v1::LintPlanResponse| -> Vec<String> {
        response.findings.into_iter().filter(|l| l.severity() == LintSeverity::Error).map(|l| l.code).collect()
    };
    let judged = world.olga().lint("", &broken).await.unwrap();
    assert!(codes(judged.clone()).contains(&"MEMBER_NOT_MOVED".to_owned()), "{judged:?}");
    assert!(codes(world.olga().lint(PLAN, "").await.unwrap()).is_empty());
    assert!(world.olga().lint(PLAN, "").await.unwrap().critical_path.contains("move-orders, move-carts"));

    world.ada().apply(&broken).await.unwrap();
    assert_eq!(refusal(world.olga().submit(2).await).code, "PLAN_HAS_ERRORS");

    // Not a plan, two documents, neither, a wrong key with its line.
    let site = "kind: Site\nmetadata: {name: x}\nspec: {}\n";
    assert_eq!(refusal(world.olga().lint("", site).await).code, "MANIFEST_INVALID");
    assert_eq!(refusal(world.olga().lint("", &format!("{broken}---\n{site}")).await).code, "MANIFEST_INVALID");
    assert_eq!(refusal(world.olga().lint("", "").await).field, "name");
    assert_eq!(refusal(world.olga().lint("nowhere", "").await).code, "PLAN_NOT_FOUND");
    let status = world.olga().lint("", &broken.replace("timeout: 10m", "timout: 10m")).await.unwrap_err();
    assert!(status.message().contains("line 19"), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_lead_nowhere_are_found_and_never_shown() {
    let world = World::start().await;
    let changed = changed_member().replace("file:execute", "file:gone");
    world.ada().apply(&changed).await.unwrap();
    let view = world
        .becomes("a plan with an unresolved secret", |view| view.findings.iter().any(|l| l.code == "SECRET_UNRESOLVED"))
        .await;
    let text = format!("{view:?}");
    assert!(text.contains("file:gone") && !text.contains("not to be seen"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_returned_plan_goes_back_with_its_reason() {
    let world = World::start().await;
    assert_eq!(refusal(world.ingo().return_("nothing yet").await).code, "PLAN_NOT_IN_REVIEW");
    let hash = world.olga().submit(1).await.unwrap().newest.unwrap().hash;
    assert_eq!(refusal(world.ingo().return_(" ").await).field, "reason");
    let returned = world.ingo().return_("the way back is missing").await.unwrap();
    assert_eq!(
        (returned.state(), returned.returned.unwrap().reason.as_str()),
        (PlanState::Draft, "the way back is missing")
    );
    assert_eq!(refusal(world.ingo().publish(&hash).await).code, "PLAN_NOT_IN_REVIEW");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_go_on_by_name_and_what_a_plan_needs_stays() {
    let world = World::start().await;
    for name in ["a", "b", "z"] {
        world.ada().apply(&plan("").replace("name: shop-to-ams", &format!("name: {name}"))).await.unwrap();
    }
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while world.olga().list(10).await.len() < 4 {
        assert!(std::time::Instant::now() < deadline, "the plans are never listed");
    }
    for size in [1, 2, 3, 4, 10] {
        assert_eq!(world.olga().list(size).await, ["a", "b", PLAN, "z"], "{size}");
    }
    for (kind, name) in [("Group", "shop"), ("Resource", "orders-db"), ("Site", "ams")] {
        assert_eq!(refusal(world.ada().retire(kind, name).await).code, "DOCUMENT_IN_USE", "{kind} {name}");
    }
    world.ada().retire("Plan", "z").await.unwrap();
}
