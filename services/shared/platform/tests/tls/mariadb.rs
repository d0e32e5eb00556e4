//! MariaDB, one server with TLS and one without.

use std::{fs, path::Path, sync::Arc};

use jiff::Timestamp;
use muster_domain::pb::{
    inventory::v1::{MariadbTarget, Node, TlsMode, resource_spec::Platform as PlatformSpec},
    observation::v1::{NodeObservation, node_observation::Result as NodeResult},
};
use muster_local::{
    mariadb::{MariadbAccount, MariadbAccounts, MariadbServer},
    tools,
};
use muster_platform::{Login, ObserveTarget, registry::platform_of};

use crate::{REFUSED, authority::given, is_refused};

async fn look(secured: &MariadbServer, plain: &MariadbServer) -> Vec<NodeObservation> {
    let node = |name: &str, server: &MariadbServer| Node {
        name: name.into(),
        host: "127.0.0.1".into(),
        port: server.port().into(),
        ..Node::default()
    };
    let spec = PlatformSpec::Mariadb(MariadbTarget {
        nodes: vec![node("a", secured), node("b", plain)],
        tls: TlsMode::VerifyFull.into(),
        ..MariadbTarget::default()
    });
    // A new one each time: a kept connection asks for no certificate.
    let observer = (platform_of(&spec).unwrap().observer)(Arc::new(Timestamp::now));
    let monitor = Login { user: "mon".into(), password: "mon-password".to_owned().into() };
    observer.observe(&ObserveTarget { tenant: "acme".into(), resource: "carts".into(), spec, monitor }).await
}

/// The files that the server reads.
fn show(directory: &Path, name: &str) {
    for kind in ["pem", "key"] {
        fs::copy(given(&format!("{name}.{kind}")), directory.join(format!("server.{kind}"))).unwrap();
    }
}

#[tokio::test]
#[ignore = "run by another test, in a process that trusts the test's authority"]
async fn over_tls() {
    if tools::or_skip(tools::mariadb()).unwrap().is_none() {
        return;
    }
    let directory = given("").to_owned();
    show(&directory, "good");
    let (certificate, key) = (given("server.pem").display().to_string(), given("server.key").display().to_string());
    let secured = MariadbServer::temporary_with(&[("ssl-cert", &certificate), ("ssl-key", &key)]).await.unwrap();
    let plain = MariadbServer::temporary_with(&[("ssl", "0")]).await.unwrap();
    let account = |user: &str| MariadbAccount::new(user, &format!("{user}-password"));
    let accounts = MariadbAccounts { monitor: account("mon"), execute: account("exec"), replication: account("repl") };
    for server in [&secured, &plain] {
        server.create_accounts(&accounts).await.unwrap();
    }
    // In clear it is never even asked: this account comes in by TLS alone.
    secured.sql("ALTER USER mon@'%' REQUIRE SSL").await.unwrap();

    let seen = look(&secured, &plain).await;
    let Some(NodeResult::Mariadb(facts)) = &seen[0].result else { panic!("{:?}", seen[0]) };
    assert!(facts.version.contains("MariaDB"), "{facts:?}");
    is_refused(&seen[1], "switch TLS on at the server");

    for (name, words) in REFUSED {
        show(&directory, name);
        secured.sql("FLUSH SSL").await.unwrap();
        is_refused(&look(&secured, &plain).await[0], words);
    }
    show(&directory, "good");
    secured.sql("FLUSH SSL").await.unwrap();
    assert!(matches!(look(&secured, &plain).await[0].result, Some(NodeResult::Mariadb(_))));
}
