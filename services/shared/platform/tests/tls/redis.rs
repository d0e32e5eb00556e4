//! Redis, which listens with TLS on one port and without on another.

use std::sync::Arc;

use jiff::Timestamp;
use muster_domain::pb::{
    inventory::v1::{Node, RedisTarget, TlsMode, resource_spec::Platform as PlatformSpec},
    observation::v1::{NodeObservation, node_observation::Result as NodeResult},
};
use muster_local::{
    free_port,
    redis::{RedisAccount, RedisAccounts, RedisServer},
    tools,
};
use muster_platform::{Login, ObserveTarget, registry::platform_of};

use crate::{REFUSED, authority::given, is_refused};

/// The monitor's account.
const USER: &str = "mon";

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
    let monitor = Login { user: USER.into(), password: "mon-password".to_owned().into() };
    observer.observe(&ObserveTarget { tenant: "acme".into(), resource: "cache".into(), spec, monitor }).await
}

#[tokio::test]
#[ignore = "run by another test, in a process that trusts the test's authority"]
async fn over_tls() {
    if tools::or_skip(tools::redis_server()).unwrap().is_none() {
        return;
    }
    let account = |user: &str| RedisAccount::new(user, &format!("{user}-password"));
    let accounts = RedisAccounts {
        admin: account("admin"),
        application: account("app"),
        monitor: account(USER),
        execute: account("exec"),
        replication: account("repl"),
    };
    let port = free_port().unwrap();
    let file = |name: &str| given(name).display().to_string();
    let settings = [
        ("tls-port", port.to_string()),
        ("tls-cert-file", file("good.pem")),
        ("tls-key-file", file("good.key")),
        ("tls-ca-cert-file", file("authority.pem")),
        ("tls-auth-clients", "no".to_owned()),
    ];
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = RedisServer::temporary_with(&accounts, None, &settings).await.unwrap();

    let seen = look(port, server.port()).await;
    let Some(NodeResult::Redis(facts)) = &seen[0].result else { panic!("{:?}", seen[0]) };
    assert_eq!(facts.role, "master", "{facts:?}");
    // What waits for a line of its own protocol may be silent: then the silence says what it could be.
    let Some(NodeResult::Error(error)) = &seen[1].result else { panic!("{:?}", seen[1]) };
    assert!(error.message.contains("`tls`"), "{error:?}");

    for (name, words) in REFUSED {
        let (certificate, key) = (file(&format!("{name}.pem")), file(&format!("{name}.key")));
        server.command(&["CONFIG", "SET", "tls-cert-file", &certificate, "tls-key-file", &key]).await.unwrap();
        is_refused(&look(port, server.port()).await[0], words);
    }
}
