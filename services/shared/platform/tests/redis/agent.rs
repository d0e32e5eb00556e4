//! The host agent of a plain server: what it finds, what a fence does, and what it refuses to look after.

use std::{fs, sync::Arc};

use muster_local::redis::RedisServer;
use muster_platform::{AgentError, LocalService, LocalServiceConfig, MoveKind, Service, ServiceAgent};

use crate::{drive::eventually, fixture::Fixture, pair::Redis};

fn agent_with(server: &RedisServer, change: impl FnOnce(&mut LocalServiceConfig)) -> LocalService {
    let mut config = LocalServiceConfig {
        service: Service::Redis,
        data_directory: server.data_dir(),
        bin_directory: server.bin_dir().to_owned(),
        config_file: server.config_file(),
        fence_file: Some(server.fence_file()),
        log_file: None,
    };
    change(&mut config);
    LocalService::new(config)
}

async fn role(server: &RedisServer) -> String {
    server.command(&["ROLE"]).await.unwrap_or_default().lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fence_outlives_a_crash_and_a_configuration_that_the_server_wrote_itself() {
    let Some(pair) = Redis::start().await else { return };
    let agent = agent_with(&pair.a, |_| {});
    let limit = std::time::Duration::from_secs(60);
    agent.check().await.unwrap();
    assert!(!agent.is_fenced().await.unwrap());

    agent.fence().await.unwrap();
    agent.fence().await.unwrap();
    assert!(agent.is_fenced().await.unwrap());
    assert_eq!(role(&pair.a).await, "master", "a running server is not disturbed");
    pair.a.command(&["CONFIG", "REWRITE"]).await.unwrap();
    assert!(agent.is_fenced().await.unwrap(), "the server's own rewriting keeps the line that includes the fence");

    let pids = match agent.process().await.unwrap() {
        muster_platform::agent::ServerProcess::Running(server) => {
            assert_eq!(server.port, Some(pair.a.port()));
            server.pids
        }
        muster_platform::agent::ServerProcess::Stopped => panic!("it runs"),
    };
    assert_eq!(pids, vec![pair.a.pid().unwrap().cast_signed()]);
    agent.kill().await.unwrap();
    agent.kill().await.unwrap();
    assert!(!agent.process().await.unwrap().is_running());

    agent.start(limit).await.unwrap();
    agent.start(limit).await.unwrap();
    eventually("it comes up as a replica of nobody", async || role(&pair.a).await == "slave").await;
    assert!(!pair.write("a", 1).await);

    agent.stop(limit).await.unwrap();
    agent.stop(limit).await.unwrap();
    agent.unfence().await.unwrap();
    assert!(!agent.is_fenced().await.unwrap());
    agent.start(limit).await.unwrap();
    eventually("it comes up as a primary", async || role(&pair.a).await == "master").await;
    assert!(pair.write("a", 2).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_fenced_or_found_is_refused_before_it_is_needed() {
    let Some(pair) = Redis::start().await else { return };
    let text = |error: AgentError| error.to_string();
    let elsewhere = agent_with(&pair.a, |config| config.data_directory = pair.b.data_dir());
    assert!(text(elsewhere.process().await.unwrap_err()).contains("let both name the same absolute path"));
    let no_program = agent_with(&pair.a, |config| config.bin_directory = "/nowhere".into());
    assert!(text(no_program.check().await.unwrap_err()).contains("there is no redis-server"));

    let own = fs::read_to_string(pair.a.config_file()).unwrap();
    let without: String = own.lines().filter(|line| !line.starts_with("include")).map(|l| format!("{l}\n")).collect();
    fs::write(pair.a.config_file(), &without).unwrap();
    let agent = agent_with(&pair.a, |_| {});
    let refused = text(agent.check().await.unwrap_err());
    assert!(refused.contains("would not hold") && refused.contains("include "), "{refused}");
    assert!(agent.fence().await.is_err() && !agent.is_fenced().await.unwrap(), "a fence that nothing reads");
    fs::write(pair.a.config_file(), format!("{own}replica-read-only no\n")).unwrap();
    let refused = text(agent.check().await.unwrap_err());
    assert!(refused.contains("replica-read-only no"), "{refused}");

    // And the move says so while nothing was changed.
    let job = pair.job(MoveKind::Switchover, "a", "b");
    let checks = pair.mover().prechecks(&job).await;
    let fence = checks.iter().find(|check| check.name == "old_primary_can_be_fenced").unwrap();
    assert_eq!(fence.value, "would not hold", "{fence:?}");
    let shared: Arc<dyn ServiceAgent> = Arc::new(agent_with(&pair.b, |_| {}));
    assert_eq!(shared.identity(), agent_with(&pair.b, |_| {}).identity());
}
