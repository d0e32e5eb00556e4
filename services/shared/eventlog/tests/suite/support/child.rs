//! Runs a part of a test in a process of its own, to be killed.

use std::{
    future::Future,
    process::Stdio,
    time::{Duration, SystemTime},
};

use tokio::process::{Child, Command};

const ROLE: &str = "MUSTER_TEST_CHILD";

/// What a child is told.
pub(crate) fn setting(name: &str) -> String {
    std::env::var(name).unwrap()
}

/// This test program again, running the ignored test `test` in the given role.
pub(crate) fn spawn(test: &str, role: &str, settings: &[(&str, &str)]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--ignored", "--nocapture"])
        .env(ROLE, role)
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// The role this process was spawned in; `None` when somebody runs the ignored test by hand.
pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// Instants that differ from run to run; the seed is printed with a failure.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let seed = now.as_nanos() as u64;
        println!("seed {seed}");
        Self(seed)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        // Knuth's MMIX generator: good enough for instants.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// A kill can leave something that fails the next one once. So often, one after the other, and it does its work no more.
const FAILURES: u32 = 10;

/// How much longer the next one may live, so that on a slow machine one gets as far as it has to.
const LONGER: Duration = Duration::from_millis(20);

/// Spawns the child again and again and kills it after up to `longest_life`, until `done`. How often it was killed.
pub(crate) async fn kill_until<F: Future<Output = bool>>(
    spawn: impl Fn() -> Child,
    mut longest_life: Duration,
    mut done: impl FnMut(u32) -> F,
) -> u32 {
    let mut random = Random::new();
    let (mut kills, mut failures) = (0, 0);
    while !done(kills).await {
        let mut child = spawn();
        let life = Duration::from_millis(50 + random.below(longest_life.as_millis() as u64));
        match tokio::time::timeout(life, child.wait()).await {
            // It ended by itself: its work is done, or it failed.
            Ok(ended) => {
                failures = if ended.unwrap().success() { 0 } else { failures + 1 };
                assert!(failures < FAILURES, "the child fails each time it is started");
            }
            Err(_) => {
                failures = 0;
                child.kill().await.unwrap();
                kills += 1;
                longest_life += LONGER;
            }
        }
    }
    kills
}
