//! The read-only account: what it sees, and what a refusal is called.

use muster_domain::pb::observation::v1::{ErrorClass, RedisFacts, node_observation::Result as NodeResult};
use muster_platform::{Login, ObserveTarget};

use crate::{fixture::Fixture, pair::Redis};

async fn look(pair: &Redis, login: Login) -> Vec<NodeResult> {
    let target = ObserveTarget { tenant: "acme".into(), resource: "cache".into(), spec: pair.spec(), monitor: login };
    pair.observer().observe(&target).await.into_iter().map(|node| node.result.unwrap()).collect()
}

fn login(user: &str) -> Login {
    Login { user: user.into(), password: format!("{user}-password").into() }
}

fn facts(result: &NodeResult) -> &RedisFacts {
    match result {
        NodeResult::Redis(facts) => facts,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sees_both_sides_with_the_rights_of_the_contract() {
    let Some(pair) = Redis::start().await else { return };
    let results = look(&pair, pair.monitor()).await;
    let (a, b) = (facts(&results[0]), facts(&results[1]));
    assert_eq!((a.role.as_str(), b.role.as_str()), ("master", "slave"));
    assert_eq!((a.replid.len(), &a.replid), (40, &b.replid));
    assert_eq!((a.keys, b.source_port), (Some(1), u32::from(pair.a.port())));
    assert_eq!((b.link_up, b.read_only, a.failover_state.as_str()), (Some(true), Some(true), "no-failover"));
    assert_eq!(a.replicas.first().map(|replica| replica.port), Some(u32::from(pair.b.port())));
    assert!(a.server_time.is_some() && a.offset.is_some() && !a.run_id.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_has_its_class_and_no_secret() {
    let Some(pair) = Redis::start().await else { return };
    let class = async |login: Login| match look(&pair, login).await.swap_remove(0) {
        NodeResult::Error(error) => {
            assert!(!error.message.contains("-password") && !error.message.is_empty(), "{error:?}");
            error.class()
        }
        other => panic!("{other:?}"),
    };
    let wrong = Login { user: "mon".into(), password: "other-password".to_owned().into() };
    assert_eq!(class(wrong).await, ErrorClass::Credential);
    // May read and write data, and may not ask how the server is.
    assert_eq!(class(login("app")).await, ErrorClass::Permission);
    pair.kill("a").await;
    assert_eq!(class(pair.monitor()).await, ErrorClass::Unreachable);
}
