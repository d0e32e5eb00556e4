//! Redis, which listens with TLS on one port and without on another.

use std::sync::Arc;

use jiff::Timestamp;
use muster_domain::pb::{
    inventory::v1::{Node, RedisTarget, TlsMode, resource_spec::Platform as PlatformSpec},
    observation::v1::{NodeObservation, node_observation::Result as NodeResult},
};
use muster_local::{free_port, tools};
use muster_platform::{Login, ObserveTarget, registry::platform_of};

use crate::{
    REFUSED, is_refused,
    redis_move::{server, show},
    redis_pair::accounts,
};

async fn look(secured: u16, plain: u16) -> Vec<NodeObservation> {
    let node = |name: &str, port: u16| Node {
        name: name.into(),
        host: "127.0.0.1".into(),
        port: port.into(),
        ..Node::default()
    };
    let spec = PlatformSpec::Redis(RedisTarget {
        nodes: vec![node("a", secured), node("b", plain)],
        tls: TlsMode::VerifyFull.into(),
        ..RedisTarget::default()
    });
    let observer = (platform_of(&spec).unwrap().observer)(Arc::new(Timestamp::now));
    let account = accounts().monitor;
    let monitor = Login { user: account.user, password: account.password.into() };
    observer.observe(&ObserveTarget { tenant: "acme".into(), resource: "cache".into(), spec, monitor }).await
}

#[tokio::test]
#[ignore = "run by another test, in a process that trusts the test's authority"]
async fn over_tls() {
    if tools::or_skip(tools::redis_server()).unwrap().is_none() {
        return;
    }
    let port = free_port().unwrap();
    let server = server(port, None).await;

    let seen = look(port, server.port()).await;
    let Some(NodeResult::Redis(facts)) = &seen[0].result else { panic!("{:?}", seen[0]) };
    assert_eq!(facts.role, "master", "{facts:?}");
    // What waits for a line of its own protocol may be silent: then the silence says what it could be.
    let Some(NodeResult::Error(error)) = &seen[1].result else { panic!("{:?}", seen[1]) };
    assert!(error.message.contains("`tls`"), "{error:?}");

    for (name, words) in REFUSED {
        show(&server, name).await;
        is_refused(&look(port, server.port()).await[0], words);
    }
}
