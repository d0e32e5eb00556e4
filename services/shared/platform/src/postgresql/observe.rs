//! Watches PostgreSQL pairs: every node is asked itself, side by side, with the read-only account.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures::future::join_all;
use muster_domain::{
    pb::{
        inventory::v1::{Heartbeat, PostgresqlNode, PostgresqlTarget, resource_spec::Platform as PlatformSpec},
        observation::v1::{ErrorClass, NodeObservation, PostgresqlFacts, node_observation::Result as NodeResult},
    },
    time,
};
use secrecy::ExposeSecret;

use super::{
    errors::SqlError,
    facts,
    session::{Address, Session},
};
use crate::{Login, Now, ObserveTarget, Observer};

/// The whole look at one node. A node that swallows packets must not hold up what is known of the other.
const LOOK_LIMIT: Duration = Duration::from_secs(3);
const CONNECT_LIMIT: Duration = Duration::from_millis(2_500);
/// Shorter than the look, so that the server gives up before we do.
const STATEMENT_LIMIT: Duration = Duration::from_secs(2);

/// Logging in again now and then notices an account that was taken away.
const KEEP_FOR: Duration = Duration::from_secs(600);
/// Connections kept by one process. Beyond it every look opens its own.
const MAX_KEPT: usize = 2_000;

pub(crate) struct PostgresqlObserver {
    now: Now,
    kept: Mutex<HashMap<Key, Kept>>,
}

/// Whose connection it is. A connection is never shared between two resources.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    tenant: String,
    resource: String,
    node: String,
}

struct Kept {
    session: Session,
    opened: Instant,
    address: Address,
    login: Login,
}

impl Kept {
    fn fits(&self, address: &Address, login: &Login) -> bool {
        let (a, b) = (&self.address, address);
        let same_place = (&a.host, a.port, &a.database, a.tls) == (&b.host, b.port, &b.database, b.tls);
        let same_login =
            self.login.user == login.user && self.login.password.expose_secret() == login.password.expose_secret();
        same_place && same_login && self.opened.elapsed() < KEEP_FOR
    }
}

impl PostgresqlObserver {
    pub(crate) fn new(now: Now) -> Self {
        Self { now, kept: Mutex::new(HashMap::new()) }
    }

    async fn look(&self, target: &ObserveTarget, spec: &PostgresqlTarget, node: &PostgresqlNode) -> NodeObservation {
        let began = Instant::now();
        let looked = tokio::time::timeout(LOOK_LIMIT, self.facts(target, spec, node)).await;
        let result = looked.unwrap_or_else(|_| {
            Err(SqlError::new(ErrorClass::Unreachable, format!("no complete answer within {LOOK_LIMIT:?}")))
        });
        let result = match result {
            Ok(facts) => NodeResult::Postgresql(facts),
            Err(error) => NodeResult::Error(error.to_observation()),
        };
        NodeObservation {
            node: node.name.clone(),
            site: node.site.clone(),
            read_at: Some(time::to_pb((self.now)())),
            took: began.elapsed().try_into().ok().map(time::duration_to_pb),
            result: Some(result),
        }
    }

    async fn facts(
        &self,
        target: &ObserveTarget,
        spec: &PostgresqlTarget,
        node: &PostgresqlNode,
    ) -> Result<PostgresqlFacts, SqlError> {
        let address = Address::of(node, &spec.database, spec.tls())?;
        let heartbeat = spec.heartbeat() == Heartbeat::TransactionId;
        let key = Key { tenant: target.tenant.clone(), resource: target.resource.clone(), node: node.name.clone() };
        // Taken out while it is used: a look that is given up drops it, and nobody meets a half-read answer.
        if let Some(mut kept) = self.take(&key).filter(|kept| kept.fits(&address, &target.monitor)) {
            match facts::collect(&mut kept.session, heartbeat).await {
                Ok(facts) => {
                    self.keep(key, kept);
                    return Ok(facts);
                }
                // The server was restarted since: asked again on a fresh connection.
                Err(error) if error.is_lost_connection() => {}
                Err(error) => return Err(error),
            }
        }
        let mut session = Session::open(&address, &target.monitor, CONNECT_LIMIT, STATEMENT_LIMIT).await?;
        let facts = facts::collect(&mut session, heartbeat).await?;
        self.keep(key, Kept { session, opened: Instant::now(), address, login: target.monitor.clone() });
        Ok(facts)
    }

    fn take(&self, key: &Key) -> Option<Kept> {
        self.lock().remove(key)
    }

    fn keep(&self, key: Key, kept: Kept) {
        let mut all = self.lock();
        // Resources come and go; what nobody took out for so long is not watched any more.
        all.retain(|_, kept| kept.opened.elapsed() < KEEP_FOR);
        if all.len() < MAX_KEPT {
            all.insert(key, kept);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Kept>> {
        // A panic elsewhere leaves the map whole: its operations are single steps.
        self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[async_trait]
impl Observer for PostgresqlObserver {
    async fn observe(&self, target: &ObserveTarget) -> Vec<NodeObservation> {
        // The registry gives this observer PostgreSQL resources only.
        let PlatformSpec::Postgresql(spec) = &target.spec else { return Vec::new() };
        join_all(spec.nodes.iter().map(|node| self.look(target, spec, node))).await
    }
}
