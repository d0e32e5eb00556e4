//! A small installation that can be attacked: its own nats-server, store, keys and witness, the audit service in this
//! process, and the command line that people use.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use muster_domain::{
    AggregateId, TenantId,
    audit::{AuditLog, Export},
    pb::{
        audit::v1::{AuditLogEvent, ExportCreated, ExportEvent, audit_log_event::Event, export_event},
        common::v1::{Actor, ActorKind},
    },
};
use muster_eventlog::{
    Database, EventLog, LogConfig, Meta,
    db::{OWNER_ROLE, SERVICE_ROLE},
    keyring::{FileKeyring, Keyring},
};
use muster_local::{
    nats::{NatsOptions, NatsServer},
    postgres::PostgresServer,
};
use muster_runtime::{
    Clock, Config, Context, Service,
    config::{self, AuditAnchor, AuditWitness},
    issuer, serve,
};
use muster_testing::{
    file_store::FileStore,
    poll::{self, Look},
    product::{Said, program, said},
};
use muster_tlog::{Algorithm, Checkpoint, Note, SoftwareKey, VerifierKey};
use prost::Message as _;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) const TENANT: &str = "demo";
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

pub(crate) fn tenant() -> TenantId {
    TENANT.parse().unwrap()
}

/// Of one length, whenever it is made.
pub(crate) fn meta() -> Result<Meta> {
    let actor =
        Actor { id: "service:test".into(), name: "test".into(), kind: ActorKind::Service.into(), roles: vec![] };
    let time = Timestamp::from_second(Timestamp::now().as_second())?;
    Ok(Meta { event_id: Uuid::now_v7(), actor, time, correlation: Uuid::now_v7(), causation: None })
}

/// What all attacks share.
pub(crate) struct Stage {
    root: PathBuf,
    postgres: PostgresServer,
    installations: AtomicUsize,
}

impl Stage {
    /// Everything of it is below `root`.
    pub(crate) async fn start(root: PathBuf) -> Result<Self> {
        Ok(Self { root, postgres: PostgresServer::temporary().await?, installations: AtomicUsize::new(0) })
    }

    /// A fresh one, running, with some events that a witness has seen.
    pub(crate) async fn installation(&self) -> Result<Installation> {
        self.installation_with(|_, _| {}).await
    }

    /// One that encrypts payloads.
    pub(crate) async fn sealed_installation(&self) -> Result<Installation> {
        self.installation_with(|config, here| config.audit.payload_keys = Some(here.join("payload-keys"))).await
    }

    async fn installation_with(&self, set: impl FnOnce(&mut Config, &Path)) -> Result<Installation> {
        let name = format!("attack{}", self.installations.fetch_add(1, Ordering::Relaxed) + 1);
        self.postgres.sql(&format!("CREATE DATABASE {name}")).await?;
        Database::prepare(&self.postgres.url("postgres", &name)).await?;
        Database::migrate(&self.postgres.url(OWNER_ROLE, &name), &[muster_audit::MIGRATIONS]).await?;
        let directory = self.root.join(&name);
        fs::create_dir(&directory)?;
        let here = directory.as_path();
        let nats = NatsServer::start(NatsOptions { dir: here.join("nats"), ..NatsOptions::default() }).await?;
        let witness = WitnessProcess::start(&here.join("witness"))?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut config = Config::local();
        config.server.listen = listener.local_addr()?;
        config.server.public_url = format!("http://{}", config.server.listen);
        config.nats.url = nats.url();
        config.postgres.url = self.postgres.url(SERVICE_ROLE, &name);
        config.local.directory = here.to_owned();
        config.use_local_issuer();
        config.audit.domain = Some("audit.example".into());
        config.audit.store = Some(here.join("log").display().to_string());
        config.audit.keys = Some(here.join("keys"));
        config.audit.witnesses = vec![witness.entry.clone()];
        config.audit.quorum = 1;
        set(&mut config, here);
        drop(listener);
        let log = connect(&config).await?;
        log.provision().await?;
        for tenant in [TenantId::operating(), tenant()] {
            log.provision_tenant(&tenant).await?;
        }
        let db = Database::connect(&config.postgres.url).await?;
        let mut installation = Installation { config, log, db, nats, witness, running: None, directory };
        installation.start().await?;
        installation.append(20).await?;
        installation.introduce_log().await?;
        installation.covered().await?;
        installation.muster(&["login", "--as", "ada"])?.must_succeed()?;
        Ok(installation)
    }
}

async fn connect(config: &Config) -> Result<EventLog> {
    let keyring = match &config.audit.payload_keys {
        Some(directory) => Some(Arc::new(FileKeyring::open(directory)?) as Arc<dyn Keyring>),
        None => None,
    };
    Ok(EventLog::connect(&LogConfig { url: config.nats.url.clone(), keyring, ..LogConfig::default() }).await?)
}

struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), serve::ServeError>>,
}

impl Drop for Running {
    /// An attack that is over leaves nothing at work.
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(crate) struct Installation {
    pub(crate) config: Config,
    pub(crate) log: EventLog,
    db: Database,
    pub(crate) nats: NatsServer,
    pub(crate) witness: WitnessProcess,
    running: Option<Running>,
    directory: PathBuf,
}

impl Installation {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The audit service and the logins, as one process of Muster has them.
    pub(crate) async fn start(&mut self) -> Result<()> {
        let context = Context::assemble(self.config.clone(), Clock::system(), self.log.clone(), self.db.clone())?;
        let stop = context.shutdown.clone();
        let logins = Service::new("local-issuer").http(issuer::router(&context.config, context.clock.clone())?);
        let services = vec![logins, muster_audit::service(&context)];
        let listener = TcpListener::bind(self.config.server.listen).await?;
        let task = tokio::spawn(async move { serve(context, services, listener).await });
        self.running = Some(Running { stop, task });
        Ok(())
    }

    pub(crate) async fn stop(&mut self) -> Result<()> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        running.stop.cancel();
        Ok((&mut running.task).await??)
    }

    /// Everything is stopped, the attacker is at the files, and everything starts again.
    pub(crate) async fn at_the_files(&mut self, attack: impl FnOnce(&FileStore) -> Result<()>) -> Result<()> {
        self.stop().await?;
        self.nats.stop().await?;
        attack(&self.files())?;
        self.nats.restart().await?;
        self.log = connect(&self.config).await?;
        self.start().await
    }

    pub(crate) fn files(&self) -> FileStore {
        FileStore::of(&self.nats.dir().join("store"), &self.log.record_stream_name(&tenant()))
    }

    /// Events of one length, so that they can be exchanged: their sequences.
    pub(crate) async fn append(&self, count: usize) -> Result<Vec<u64>> {
        let mut sequences = Vec::new();
        for _ in 0..count {
            let meta = meta()?;
            let created = ExportCreated { format: "json".into(), ..ExportCreated::default() };
            let event = ExportEvent { event: Some(export_event::Event::Created(created)) };
            let id = AggregateId::from(Uuid::now_v7());
            sequences.push(self.log.append::<Export>(&tenant(), &id, 1, &meta, &event).await?.sequence);
        }
        Ok(sequences)
    }

    /// What people do at a witness: the log's key, in its file of known logs.
    pub(crate) async fn introduce_log(&self) -> Result<()> {
        let keys = poll::until("the log to have a key", LIMIT, || async {
            let keys: Vec<String> = self.life().await?.epochs.into_iter().map(|epoch| epoch.verifier_key).collect();
            Ok(if keys.is_empty() { Look::NotYet(()) } else { Look::Found(keys) })
        })
        .await?;
        Ok(fs::write(self.path("witness/logs"), keys.join("\n"))?)
    }

    /// Where the log's files are.
    pub(crate) fn epoch(&self, epoch: u32) -> PathBuf {
        self.path("log").join(TENANT).join(epoch.to_string())
    }

    pub(crate) fn checkpoint(&self, epoch: u32) -> Option<Checkpoint> {
        let bytes = fs::read(self.epoch(epoch).join("checkpoint")).ok()?;
        Note::parse(&bytes).ok()?.text().parse().ok()
    }

    /// Waits until the witnessed checkpoint covers all that is in the record.
    pub(crate) async fn covered(&self) -> Result<Checkpoint> {
        poll::until("a witnessed checkpoint over everything", LIMIT, || async {
            let epoch = self.life().await?.epoch().map_or(1, |epoch| epoch.epoch);
            let last = self.log.last_sequence(&tenant()).await?;
            let found = self.checkpoint(epoch);
            Ok(match found {
                Some(found) if found.size > last => Look::Found(found),
                other => Look::NotYet((other.map(|found| found.size), last)),
            })
        })
        .await
    }

    pub(crate) async fn life(&self) -> Result<AuditLog> {
        Ok(self.log.load::<AuditLog>(&tenant(), &AuditLog::ID.parse()?).await?.state)
    }

    /// All events of the log about itself, in order.
    pub(crate) async fn own_events(&self) -> Result<Vec<Event>> {
        let mut entries = self.log.raw(&tenant(), 0);
        let mut events = Vec::new();
        while let Some(batch) = entries.next_until_caught_up().await? {
            let own = batch.into_iter().filter(|entry| entry.subject.contains(".audit-log."));
            events.extend(own.filter_map(|entry| AuditLogEvent::decode(entry.payload).ok()?.event));
        }
        Ok(events)
    }

    /// Waits for an event of the log about itself.
    pub(crate) async fn says<T>(&self, what: &str, wanted: impl Fn(Event) -> Option<T>) -> Result<T> {
        poll::until(what, LIMIT, || async {
            let events = self.own_events().await?;
            let seen = format!("{events:?}");
            Ok(events.into_iter().find_map(&wanted).map_or(Look::NotYet(seen), Look::Found))
        })
        .await
    }

    /// Waits until the watch over the stream has told of this.
    pub(crate) async fn says_stream_changed(&self, what: &str) -> Result<()> {
        self.says(what, |event| match event {
            Event::StreamChanged(changed) => (changed.what == what).then_some(()),
            _ => None,
        })
        .await
    }

    /// The log's public key in use.
    pub(crate) async fn key(&self) -> Result<VerifierKey> {
        Ok(self.life().await?.epoch().context("no epoch")?.verifier_key.parse()?)
    }

    /// What a thief of the key file has.
    pub(crate) async fn stolen_key(&self) -> Result<SoftwareKey> {
        let (key, directory) = (self.key().await?, self.path("keys").join(TENANT));
        for entry in fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
            let bytes = fs::read(entry?.path())?;
            for der in [pem_to_der(&bytes), Some(bytes)].into_iter().flatten() {
                if let Ok(found) = SoftwareKey::from_pkcs8(key.name(), Algorithm::Ed25519, &der)
                    && muster_tlog::SigningKey::verifier(&found) == &key
                {
                    return Ok(found);
                }
            }
        }
        bail!("no file in {} is the key {key}", directory.display())
    }

    /// `muster …` as ada.
    pub(crate) fn muster(&self, args: &[&str]) -> Result<Said> {
        let output = Command::new(program()?)
            .args(["--server", &self.config.server.public_url, "--profile", "ada", "--tenant", TENANT])
            .args(args)
            .env("XDG_CONFIG_HOME", self.path("config"))
            .stdin(Stdio::null())
            .output()?;
        Ok(said(&output))
    }

    /// As people run it. The answer must be "not good" and say this.
    pub(crate) fn verify_says(&self, args: &[&str], words: &[&str]) -> Result<()> {
        self.says_broken(&[&["audit", "verify"], args].concat(), words)
    }

    pub(crate) fn fsck_says(&self, words: &[&str]) -> Result<()> {
        let file = self.path("muster.toml");
        fs::write(&file, toml::to_string(&self.config)?)?;
        let file = file.display().to_string();
        self.says_broken(&["audit", "fsck", "--config", &file], words)
    }

    fn says_broken(&self, args: &[&str], words: &[&str]) -> Result<()> {
        let said = self.muster(args)?;
        let text = format!("{}{}", said.out, said.err);
        for words in words {
            anyhow::ensure!(text.contains(words), "`muster {}` does not say '{words}': {said:?}", args.join(" "));
        }
        anyhow::ensure!(said.code == 1, "`muster {}` ended with {}: {said:?}", args.join(" "), said.code);
        Ok(())
    }

    pub(crate) fn verify_is_good(&self) -> Result<()> {
        let said = self.muster(&["audit", "verify"])?;
        anyhow::ensure!(said.code == 0 && said.out.contains("GOOD"), "{said:?}");
        Ok(())
    }

    pub(crate) fn anchors(&mut self, anchors: Vec<AuditAnchor>) {
        self.config.audit.anchors = anchors;
    }
}

fn pem_to_der(bytes: &[u8]) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let text = std::str::from_utf8(bytes).ok()?;
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    base64::engine::general_purpose::STANDARD.decode(body).ok()
}

/// `muster run witness`, on a machine of the customer's.
pub(crate) struct WitnessProcess {
    directory: PathBuf,
    pub(crate) entry: AuditWitness,
    process: Child,
}

impl WitnessProcess {
    fn start(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let port = muster_local::free_port()?;
        let mut config = Config::default();
        config.server.listen = ([127, 0, 0, 1], port).into();
        config.server.public_url = format!("http://127.0.0.1:{port}");
        config.witness = config::Witness {
            name: "witness.example".into(),
            state: directory.join("state"),
            key: directory.join("key"),
            logs_file: Some(directory.join("logs")),
            ..config::Witness::default()
        };
        let verifier_key = muster_witness::prepare(&config)?.to_string();
        fs::write(directory.join("witness.toml"), toml::to_string(&config)?)?;
        let entry = AuditWitness { name: "customer".into(), url: config.server.public_url, verifier_key };
        Ok(Self { directory: directory.to_owned(), entry, process: spawn(directory)? })
    }

    pub(crate) fn kill_9(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    pub(crate) fn start_again(&mut self) -> Result<()> {
        self.process = spawn(&self.directory)?;
        Ok(())
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// The status and body of `add-checkpoint`, once it answers at all.
    pub(crate) async fn add(&self, body: &str) -> Result<(u16, String)> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
        let url = format!("{}/add-checkpoint", self.entry.url);
        poll::until("the witness to answer", LIMIT, || async {
            match http.post(&url).body(body.to_owned()).send().await {
                Ok(answer) => Ok(Look::Found((answer.status().as_u16(), answer.text().await?))),
                Err(error) => Ok(Look::NotYet(error.to_string())),
            }
        })
        .await
    }
}

impl Drop for WitnessProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(directory: &Path) -> Result<Child> {
    let log = fs::OpenOptions::new().create(true).append(true).open(directory.join("log"))?;
    let mut command = Command::new(program()?);
    command.args(["run", "witness", "--config"]).arg(directory.join("witness.toml"));
    Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?)
}
