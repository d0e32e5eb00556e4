//! A group that failed over comes home: each member by its platform's own way, inside the chain of its move, in the order of
//! the group.

use std::sync::Arc;

use muster_domain::pb::{
    common::v1::{Environment, Tier},
    execution::v1::{AcknowledgeCoolDownRequest, ExecutionState, ExecutionView},
    inventory::v1::{
        Credential, GroupMember, GroupSpec, Kind, MariadbTarget, Node, ResourceSpec, TlsMode, document,
        resource_spec::Platform,
    },
    request::v1::RequestType,
};
use muster_local::{
    mariadb::{MariadbAccount, MariadbAccounts, MariadbServer},
    tools,
};
use muster_runtime::config::{Agent, AgentKind};
use muster_testing::Person;

use crate::{
    group::{GROUP, steps_of},
    killed::{dies, doomed_executor},
    movers::{Around, movers},
    people::Asked,
    world::{RESOURCE, World, eventually},
};

const CARTS: &str = "carts";

/// "c" in the west is the primary of the carts, "d" in the east its replica.
struct Carts {
    c: MariadbServer,
    d: MariadbServer,
}

impl Carts {
    /// With the accounts and passwords of the other pair. `None`: this machine cannot have MariaDB, and says so.
    async fn start() -> Option<Self> {
        tools::or_skip(tools::mariadb()).unwrap()?;
        let (c, d) = tokio::join!(MariadbServer::temporary(), MariadbServer::temporary());
        let pair = Self { c: c.unwrap(), d: d.unwrap() };
        let account = |user: &str| MariadbAccount::new(user, &format!("{user}-password"));
        let accounts =
            MariadbAccounts { monitor: account("mon"), execute: account("exec"), replication: account("repl") };
        pair.c.create_accounts(&accounts).await.unwrap();
        pair.c.sql("CREATE DATABASE app; CREATE TABLE app.carts (n BIGINT PRIMARY KEY)").await.unwrap();
        pair.d.follow(&pair.c, &accounts.replication).await.unwrap();
        Some(pair)
    }

    fn spec(&self) -> ResourceSpec {
        let node = |name: &str, site: &str, server: &MariadbServer| Node {
            name: name.into(),
            site: site.into(),
            host: "127.0.0.1".into(),
            port: server.port().into(),
            agent: format!("agent-{name}"),
        };
        let credential = |user: &str| Some(Credential { user: user.into(), password_ref: format!("file:{user}") });
        ResourceSpec {
            tier: Tier::Tier1.into(),
            environment: Environment::Production.into(),
            owner: "dba".into(),
            primary_site: "west".into(),
            dr_site: "east".into(),
            platform: Some(Platform::Mariadb(MariadbTarget {
                nodes: vec![node("c", "west", &self.c), node("d", "east", &self.d)],
                database: "app".into(),
                monitor: credential("mon"),
                execute: credential("exec"),
                replication: credential("repl"),
                tls: TlsMode::Disable.into(),
            })),
            ..ResourceSpec::default()
        }
    }

    fn agent(server: &MariadbServer) -> Agent {
        Agent {
            tenant: "acme".into(),
            kind: AgentKind::Mariadb,
            data_directory: server.data_dir(),
            bin_directory: server.bin_dir().to_owned(),
            config_file: Some(server.config_file()),
            ..Agent::default()
        }
    }
}

async fn rows(server: &MariadbServer) -> String {
    server.sql("SELECT GROUP_CONCAT(n ORDER BY n) FROM app.carts").await.unwrap()
}

/// Both primaries are lost, the carts' with a row that nobody else has; the group runs in the east.
async fn failed_over(world: &mut World, carts: &mut Carts) {
    for (name, server) in [("agent-c", &carts.c), ("agent-d", &carts.d)] {
        world.config.executor.agents.insert(name.into(), Carts::agent(server));
    }
    world.declare_resource(CARTS, carts.spec()).await;
    let member = |resource: &str, depends_on: &[&str]| GroupMember {
        resource: resource.into(),
        depends_on: depends_on.iter().map(|name| (*name).to_owned()).collect(),
    };
    let members = vec![member(RESOURCE, &[CARTS]), member(CARTS, &[])];
    let group = document::Spec::GroupSpec(GroupSpec { display_name: String::new(), members });
    world.declare_document(Kind::Group, GROUP, group).await;

    carts.c.sql("INSERT INTO app.carts VALUES (1)").await.unwrap();
    eventually("the row is in the east", async || rows(&carts.d).await == "1").await;
    carts.d.sql("STOP SLAVE IO_THREAD").await.unwrap();
    carts.c.sql("INSERT INTO app.carts VALUES (2)").await.unwrap();
    carts.c.kill().await.unwrap();
    world.pair.a.kill().await.unwrap();
    let (find, _) = movers(Around::Nothing);
    let executor = world.executor(find).await;
    let view = ran(world, RequestType::Failover, "east").await;
    assert_eq!(view.state(), ExecutionState::Succeeded, "{view:#?}");
    carts.d.sql("INSERT INTO app.carts VALUES (3)").await.unwrap();
    let olga = Person::login(&executor.url, "olga").await.unwrap();
    for (index, name) in ["group-shop", RESOURCE, CARTS].into_iter().enumerate() {
        let ask = AcknowledgeCoolDownRequest {
            tenant: "acme".into(),
            resource: name.into(),
            note: "the east serves".into(),
            idempotency_key: format!("k-{index}"),
        };
        olga.executor().acknowledge_cool_down(olga.request(ask)).await.unwrap();
    }
}

async fn ran(world: &World, kind: RequestType, site: &'static str) -> ExecutionView {
    let request = world.confirmed_for(&Asked { kind, group: GROUP, site, ..Asked::default() }).await;
    world.ended(&request).await
}

/// The executor dies when the carts are built anew and nobody wrote that down; another one finishes the run.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn each_member_comes_home_by_its_own_way_in_the_order_of_the_group() {
    let Some(mut carts) = Carts::start().await else { return };
    let mut world = World::start().await;
    Box::pin(failed_over(&mut world, &mut carts)).await;

    let child = doomed_executor(&world, "return-original", "after");
    let asked = Asked { kind: RequestType::Failback, group: GROUP, site: "west", ..Asked::default() };
    let request = world.confirmed_for(&asked).await;
    dies(child).await;
    let (find, counts) = movers(Around::Nothing);
    let _executor = world.executor(Arc::clone(&find)).await;
    let view = world.ended(&request).await;
    assert_eq!(view.state(), ExecutionState::Succeeded, "{view:#?}");

    let ids = |resource: &str| -> Vec<String> {
        steps_of(&view, resource).iter().map(|step| step.step.as_ref().unwrap().id.clone()).collect()
    };
    for (resource, first_of_the_move) in [(CARTS, "make-primary-read-only"), (RESOURCE, "checkpoint-primary")] {
        let ids = ids(resource);
        let at = |id: String| ids.iter().position(|found| *found == id).unwrap_or_else(|| panic!("{id}: {ids:?}"));
        let chain = ["measure-original", "return-original", "wait-until-following"];
        let mut places: Vec<usize> = chain.iter().map(|id| at(format!("move-{resource}/{id}"))).collect();
        places.push(at(format!("ready:{resource}")));
        places.push(at(format!("move-{resource}/{first_of_the_move}")));
        assert!(places.is_sorted(), "{ids:?}");
    }
    // The ledger depends on the carts, also on the way home.
    let before = view.steps.iter().position(|s| s.step.as_ref().unwrap().id == "move-ledger/measure-original").unwrap();
    let after = &view.steps[before].step.as_ref().unwrap().after;
    assert!(after.iter().all(|id| id.starts_with("move-carts/")) && !after.is_empty(), "{after:?}");

    let note = |id: &str| view.steps.iter().find(|s| s.step.as_ref().unwrap().id == id).unwrap().note.clone();
    let measured = note("move-carts/measure-original");
    assert!(measured.contains("(at most 1)"), "what is discarded is said: {measured}");
    assert_eq!(counts.lock().unwrap().get("return-original"), Some(&1), "the carts' was found done, the ledger's run");
    assert_eq!((rows(&carts.c).await, rows(&carts.d).await), ("1,3".into(), "1,3".into()));
    assert_eq!((world.pair.is_primary("a").await, world.pair.is_primary("b").await), (Some(true), Some(false)));
    assert_eq!(carts.c.sql("SELECT @@global.read_only").await.unwrap(), "0");
    assert_eq!(carts.d.sql("SELECT @@global.read_only").await.unwrap(), "1");
}
