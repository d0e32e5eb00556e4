//! Redis: there and back, between servers that replicate over TLS.

use muster_domain::pb::inventory::v1::{RedisTarget, TlsMode, resource_spec::Platform as PlatformSpec};
use muster_local::{free_port, redis::RedisServer, tools};
use muster_platform::{Facts, MoveJob, MoveKind};

use crate::{
    STRANGER,
    authority::given,
    drive::{blocking, eventually, run_steps},
    fixture::Fixture,
    redis_pair::{Redis, accounts},
};

struct Secured {
    pair: Redis,
    ports: [u16; 2],
}

fn file(name: &str) -> String {
    given(name).display().to_string()
}

/// Listens with TLS on that port, and speaks it to the server that it follows.
pub(crate) async fn server(port: u16, follows: Option<u16>) -> RedisServer {
    let settings = [
        ("tls-port", port.to_string()),
        ("tls-cert-file", file("good.pem")),
        ("tls-key-file", file("good.key")),
        ("tls-ca-cert-file", file("authority.pem")),
        ("tls-auth-clients", "no".to_owned()),
        ("tls-replication", "yes".to_owned()),
    ];
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    RedisServer::temporary_with(&accounts(), follows, &settings).await.unwrap()
}

/// It shows that certificate from now on.
pub(crate) async fn show(server: &RedisServer, name: &str) {
    let (certificate, key) = (file(&format!("{name}.pem")), file(&format!("{name}.key")));
    server.command(&["CONFIG", "SET", "tls-cert-file", &certificate, "tls-key-file", &key]).await.unwrap();
}

impl Secured {
    async fn start() -> Self {
        let ports = [free_port().unwrap(), free_port().unwrap()];
        let pair = Redis { a: server(ports[0], None).await, b: server(ports[1], Some(ports[0])).await };
        let this = Self { pair, ports };
        eventually("b follows a", async || {
            this.pair.b.command(&["INFO", "replication"]).await.unwrap().contains("master_link_status:up")
        })
        .await;
        this
    }

    fn job(&self, from: &str, target: &str) -> MoveJob {
        let job = self.pair.job(MoveKind::Switchover, from, target);
        let PlatformSpec::Redis(mut spec) = job.spec.clone() else { panic!("{:?}", job.spec) };
        for (node, port) in spec.nodes.iter_mut().zip(self.ports) {
            node.port = port.into();
        }
        let spec = PlatformSpec::Redis(RedisTarget { tls: TlsMode::VerifyFull.into(), ..spec });
        MoveJob { spec, ..job }
    }

    async fn show(&self, node: &str, name: &str) {
        show(if node == "a" { &self.pair.a } else { &self.pair.b }, name).await;
    }
}

#[tokio::test]
#[ignore = "run by another test, in a process that trusts the test's authority"]
async fn over_tls() {
    if tools::or_skip(tools::redis_server()).unwrap().is_none() {
        return;
    }
    let secured = Secured::start().await;
    let mover = secured.pair.mover();
    for node in ["a", "b"] {
        secured.show(node, "stranger").await;
        let said = format!("{:?}", blocking(&mover.prechecks(&secured.job("a", "b")).await));
        assert!(said.contains(STRANGER) && said.contains("`tls`"), "{node}: {said}");
        secured.show(node, "good").await;
    }
    secured.show("a", "stranger").await;
    let first = &mover.plan(&secured.job("a", "b"))[0];
    let moved = mover.run(&secured.job("a", "b"), &first.id, &Facts::new()).await;
    assert!(moved.is_err(), "{moved:?}");
    secured.show("a", "good").await;
    assert!(secured.pair.write("a", 1).await && !secured.pair.write("b", 2).await);

    for (from, target, row) in [("a", "b", 3), ("b", "a", 4)] {
        let job = || secured.job(from, target);
        let checks = mover.prechecks(&job()).await;
        assert!(blocking(&checks).is_empty(), "{checks:#?}");
        let facts = run_steps(&mover, job, None, |_| true).await;
        let checks = mover.postchecks(&job(), &facts).await;
        assert!(blocking(&checks).is_empty(), "{checks:#?}");
        assert!(secured.pair.write(target, row).await);
        eventually("the row is on the other side", async || secured.pair.numbers(from).await.contains(&row)).await;
    }
}
