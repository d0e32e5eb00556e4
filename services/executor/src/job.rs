//! From a confirmed request to what the platform's code needs: the document as it was approved, secrets resolved now,
//! host agents from this installation's own configuration.

use std::{collections::BTreeMap, os::unix::fs::MetadataExt, sync::Arc};

use muster_domain::{
    Aggregate, TenantId,
    inventory::{
        Declared, document_id,
        platform::{NodeRef, credentials, nodes, platform_name},
    },
    pb::{
        execution::v1::Member,
        inventory::v1::{
            Credential, Document, InventoryEvent, Kind, ResourceSpec, document, inventory_event::Event,
            resource_spec::Platform as PlatformSpec,
        },
    },
};
use muster_eventlog::LogError;
use muster_platform::{
    HostAgent, LastKnownPrimary, LocalAgent, LocalAgentConfig, LocalService, LocalServiceConfig, Login, MoveJob,
    MoveKind, Mover, Service, ServiceAgent, Timeouts,
};
use muster_runtime::{
    Context, Owner,
    config::{Agent, AgentKind},
    secrets::SecretError,
};

use crate::positions::Positions;

/// The platform's code for a resource. `None`: this program does not know the platform.
pub type FindMover = Arc<dyn Fn(&PlatformSpec) -> Option<Arc<dyn Mover>> + Send + Sync>;

/// A move with the code that makes it.
pub(crate) struct Job {
    pub mover: Arc<dyn Mover>,
    pub job: MoveJob,
}

/// Why a move cannot even be described. Said in the run's record, without secrets.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    #[error("the resource's document of version {0} is not in the log")]
    DocumentMissing(u64),
    #[error("this version of Muster does not know the resource's platform: upgrade it")]
    PlatformUnknown,
    #[error("site {site} has {found} nodes in the resource's document, it needs exactly one")]
    NodesOfSite { site: String, found: usize },
    #[error("the resource names no execution account: add `execute` to its manifest")]
    NoExecuteAccount,
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(
        "node {node} names the host agent '{agent}', which is not configured for this tenant: add it to executor.agents"
    )]
    AgentUnknown { node: String, agent: String },
    #[error(
        "the host agent '{agent}' is to run as '{run_as}', and that is not who owns its data directory: correct run_as or leave it out"
    )]
    AgentUser { agent: String, run_as: String },
    #[error(
        "node {node} of a {platform} resource names the host agent '{agent}', which looks after another kind of server: \
         name the right agent, or correct executor.agents.{agent}.kind"
    )]
    AgentKind { node: String, agent: String, platform: &'static str },
}

/// Every version of one document. A run keeps to the version that people approved, whatever is declared meanwhile.
#[derive(Debug, Clone, Default)]
pub(crate) struct Versions(Vec<Document>);

impl Aggregate for Versions {
    const KIND: &'static str = Declared::KIND;
    type Event = InventoryEvent;

    fn evolve(&mut self, event: &InventoryEvent) {
        let next = match (&event.event, self.0.last()) {
            (Some(Event::Declared(declared)), _) => declared.document.clone(),
            (Some(Event::Retired(_)), Some(last)) => {
                Some(Document { retired: true, version: last.version + 1, ..last.clone() })
            }
            _ => None,
        };
        self.0.extend(next);
    }
}

impl Versions {
    pub(crate) async fn load(ctx: &Context, tenant: &TenantId, resource: &str) -> Result<Self, LogError> {
        Self::load_kind(ctx, tenant, Kind::Resource, resource).await
    }

    pub(crate) async fn load_kind(ctx: &Context, tenant: &TenantId, kind: Kind, name: &str) -> Result<Self, LogError> {
        let Ok(id) = document_id(kind, name) else { return Ok(Self::default()) };
        Ok(ctx.log.load::<Self>(tenant, &id).await?.state)
    }

    pub(crate) fn at(&self, version: u64) -> Option<&Document> {
        self.0.iter().find(|document| document.version == version)
    }

    pub(crate) fn newest(&self) -> Option<&Document> {
        self.0.last()
    }

    pub(crate) fn resource(&self, version: u64) -> Result<&ResourceSpec, JobError> {
        match self.at(version).and_then(|document| document.spec.as_ref()) {
            Some(document::Spec::ResourceSpec(spec)) => Ok(spec),
            _ => Err(JobError::DocumentMissing(version)),
        }
    }
}

/// The two sides of a move, by name.
pub(crate) struct Sides {
    pub from: String,
    pub target: String,
}

pub(crate) fn sides(from_site: &str, target_site: &str, spec: &ResourceSpec) -> Result<Sides, JobError> {
    let nodes = nodes(spec.platform.as_ref().ok_or(JobError::PlatformUnknown)?);
    let of = |site: &str| {
        let found: Vec<&NodeRef<'_>> = nodes.iter().filter(|node| node.site == site).collect();
        match found.as_slice() {
            [node] => Ok(node.name.to_owned()),
            _ => Err(JobError::NodesOfSite { site: site.to_owned(), found: found.len() }),
        }
    };
    Ok(Sides { from: of(from_site)?, target: of(target_site)? })
}

/// Builds the job anew: nothing of it survives in memory, and secrets only as long as the work.
pub(crate) fn build(
    ctx: &Context,
    find_mover: &FindMover,
    positions: &Positions,
    tenant: &TenantId,
    member: &Member,
    kind: MoveKind,
    spec: &ResourceSpec,
) -> Result<Job, JobError> {
    let platform = spec.platform.clone().ok_or(JobError::PlatformUnknown)?;
    let mover = find_mover(&platform).ok_or(JobError::PlatformUnknown)?;
    let sides = sides(&member.from_site, &member.target_site, spec)?;
    let accounts = credentials(&platform);
    let execute = login(ctx, tenant, accounts.execute)?.ok_or(JobError::NoExecuteAccount)?;
    let replication = login(ctx, tenant, accounts.replication)?;
    let last = positions.of(tenant.as_str(), &member.resource, &sides.from).newest();
    let clock = ctx.clock.clone();
    let agents = agents(ctx, tenant, &platform)?;
    Ok(Job {
        mover,
        job: MoveJob {
            tenant: tenant.to_string(),
            resource: member.resource.clone(),
            kind,
            from_node: sides.from,
            target_node: sides.target,
            agents: agents.hosts,
            services: agents.services,
            execute,
            replication,
            timeouts: Timeouts { replay: *ctx.config.executor.replay_limit, ..Timeouts::default() },
            limits: Default::default(),
            last_known_primary: last.map(|s| LastKnownPrimary { timeline: Some(s.timeline), lsn: s.lsn, at: s.since }),
            now: Arc::new(move || clock.now()),
            sessions: Default::default(),
            spec: platform,
        },
    })
}

fn login(ctx: &Context, tenant: &TenantId, credential: Option<&Credential>) -> Result<Option<Login>, SecretError> {
    let Some(credential) = credential else { return Ok(None) };
    let password = ctx.secrets.resolve(Owner::Tenant(tenant), &credential.password_ref)?;
    Ok(Some(Login { user: credential.user.clone(), password }))
}

/// By node name.
#[derive(Default)]
struct Agents {
    hosts: BTreeMap<String, Arc<dyn HostAgent>>,
    services: BTreeMap<String, Arc<dyn ServiceAgent>>,
}

fn agents(ctx: &Context, tenant: &TenantId, platform: &PlatformSpec) -> Result<Agents, JobError> {
    let mut agents = Agents::default();
    for node in nodes(platform).iter().filter(|node| !node.agent.is_empty()) {
        // An agent of another tenant is as unknown as one that is not there.
        let configured = ctx.config.executor.agents.get(node.agent).filter(|agent| agent.tenant == tenant.as_str());
        let agent = configured
            .ok_or_else(|| JobError::AgentUnknown { node: node.name.to_owned(), agent: node.agent.to_owned() })?;
        let name = node.name.to_owned();
        match (platform, agent.kind) {
            (PlatformSpec::Postgresql(_), AgentKind::Postgresql) => {
                agents.hosts.insert(name, local(node.agent, agent)?);
            }
            (PlatformSpec::Mariadb(_), AgentKind::Mariadb) => {
                agents.services.insert(name, service(node.agent, agent, Service::Mariadb)?);
            }
            (PlatformSpec::Redis(_), AgentKind::Redis) => {
                agents.services.insert(name, service(node.agent, agent, Service::Redis)?);
            }
            _ => {
                let agent = node.agent.to_owned();
                return Err(JobError::AgentKind { node: name, agent, platform: platform_name(platform) });
            }
        }
    }
    Ok(agents)
}

fn service(name: &str, agent: &Agent, service: Service) -> Result<Arc<dyn ServiceAgent>, JobError> {
    confirm_user(name, agent)?;
    Ok(Arc::new(LocalService::new(LocalServiceConfig {
        service,
        data_directory: agent.data_directory.clone(),
        bin_directory: agent.bin_directory.clone(),
        // Absent, the configuration was refused at the start.
        config_file: agent.config_file.clone().unwrap_or_default(),
        fence_file: agent.fence_file.clone(),
        log_file: None,
    })))
}

/// An agent acts as the owner of its data directory. A configured user only confirms who that is.
fn confirm_user(name: &str, agent: &Agent) -> Result<(), JobError> {
    if let Some(run_as) = &agent.run_as {
        let user = nix::unistd::User::from_name(run_as).ok().flatten().map(|user| user.uid.as_raw());
        let owner = std::fs::metadata(&agent.data_directory).map(|metadata| metadata.uid());
        // A directory that is away, in the middle of a rebuild perhaps, has no owner: the agent says so when it is to act.
        if user.is_none() || owner.is_ok_and(|owner| user != Some(owner)) {
            return Err(JobError::AgentUser { agent: name.to_owned(), run_as: run_as.clone() });
        }
    }
    Ok(())
}

fn local(name: &str, agent: &Agent) -> Result<Arc<dyn HostAgent>, JobError> {
    confirm_user(name, agent)?;
    Ok(Arc::new(LocalAgent::new(LocalAgentConfig {
        data_directory: agent.data_directory.clone(),
        bin_directory: agent.bin_directory.clone(),
        config_file: None,
        log_file: None,
        root_certificate: None,
    })))
}
