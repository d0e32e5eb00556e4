//! Resources that name a server of this run too. Two runs on one server would each undo what the other relies on, and the
//! easier of two ways to somebody's leave would be the only one that is used.

use muster_domain::{
    execution::{self, Reservation},
    inventory::decided_as,
    pb::{execution::v1::Check, request::v1::RequestType},
    refusal::describe,
};

use crate::{
    checks::{failed, passed},
    error::RunError,
    reserve::{id_of, reserves},
    run::Run,
};

const FREE: &str = "servers_are_free";
const DECIDED_ALIKE: &str = "servers_are_decided_alike";

/// What a member of the run shares with a resource that is not in it.
struct Shared {
    member: String,
    neighbour: String,
    address: String,
    /// The tier and environment of the member, and the neighbour's when they are others.
    mine: String,
    theirs: Option<String>,
}

impl Run<'_> {
    /// Asked when everything of this run is held: of two that begin at once, at least one sees the other.
    ///
    /// It is safe because of that order, and because a tenant's log has one order for all of its entries: this run's own
    /// reservation was acknowledged before the look, and `load` asks the leader, whose log holds it. Of two reservations one
    /// is the earlier, and whoever wrote the later one reads a log that has both. An answer older than the own entry would
    /// break this (`ReadsAnywhere` in `testing/model`): it takes a leader that was deposed by a partition and is still reached
    /// by an executor whose own entry the new leader has just acknowledged.
    pub(crate) async fn neighbours(&self, kind: RequestType) -> Result<Vec<Check>, RunError> {
        if !reserves(kind) {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for shared in self.shared_servers().await {
            let checks = [self.is_free(&shared).await?, decided_alike(&shared)];
            found.extend(checks.map(|check| Check { resource: shared.member.clone(), ..check }));
        }
        Ok(found)
    }

    async fn shared_servers(&self) -> Vec<Shared> {
        let Ok(scope) = self.documents.scope(&self.opened.group, &self.opened.resource) else { return Vec::new() };
        let members: Vec<&str> = scope.members.iter().map(|member| member.document.name.as_str()).collect();
        self.executor.declared.caught_up().await;
        self.executor.declared.read(&self.key.tenant, |inventory| {
            let mut shared = Vec::new();
            for (document, spec) in members.iter().filter_map(|name| inventory.resource(name)) {
                for other in inventory.neighbours(&document.name, spec) {
                    if !members.contains(&other.name) {
                        shared.push(Shared {
                            member: document.name.clone(),
                            neighbour: other.name.to_owned(),
                            mine: decided_as(spec),
                            theirs: other.decided_otherwise(spec),
                            address: other.address,
                        });
                    }
                }
            }
            shared
        })
    }

    async fn is_free(&self, shared: &Shared) -> Result<Check, RunError> {
        let (log, now) = (&self.executor.ctx.log, self.executor.ctx.clock.now());
        let held = log.load::<Reservation>(&self.key.tenant, &id_of(&shared.neighbour)?).await?.state;
        let limit = format!("no other run on {}", shared.address);
        Ok(match execution::reserve(&held, &shared.neighbour, self.key.id.as_str(), now) {
            Ok(_) => passed(FREE, &shared.neighbour, &limit, "it names the same server, and no run holds it"),
            Err(refusal) => failed(FREE, refusal.value.clone(), &limit, describe(&refusal)),
        })
    }
}

fn decided_alike(shared: &Shared) -> Check {
    let Shared { address, neighbour, mine, theirs, .. } = shared;
    match theirs {
        None => passed(DECIDED_ALIKE, mine, mine, "every name of this server asks the same people"),
        Some(theirs) => failed(
            DECIDED_ALIKE,
            mine.clone(),
            theirs,
            format!(
                "{address} is also a node of {neighbour} ({theirs}), which other people decide on: declare both alike"
            ),
        ),
    }
}
