//! Every key with its default and its meaning. The doc comments are the reference that users read.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{Algorithm, HumanDuration, LogFormat, RoleName, SmtpTls};

/// A struct whose doc comments are also data, so that code and reference cannot differ.
macro_rules! section {
    ($(#[doc = $about:literal])* $name:ident {
        $( $(#[doc = $doc:literal])* $key:ident : $type:ty = $default:expr, )*
    }) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name { $( $(#[doc = $doc])* pub $key: $type, )* }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $key: $default, )* }
            }
        }

        impl $name {
            pub(super) const ABOUT: &'static str = concat!($($about),*);
            pub(super) const KEYS: &'static [(&'static str, &'static str)] =
                &[$( (stringify!($key), concat!($($doc),*)), )*];
        }
    };
}

section! {
    /// Everything a Muster process is told from outside.
    Config {
        /// The address Muster answers at.
        server: Server = Server::default(),
        /// The event log.
        nats: Nats = Nats::default(),
        /// The read models.
        postgres: Postgres = Postgres::default(),
        /// Who may log in, and as what.
        auth: Auth = Auth::default(),
        /// The local mode of `muster up`.
        local: Local = Local::default(),
        /// Logs, traces, metrics.
        telemetry: Telemetry = Telemetry::default(),
        /// Outgoing mail. Absent: no mail is sent.
        smtp: Option<Smtp> = None,
        /// Outgoing webhooks.
        webhooks: Webhooks = Webhooks::default(),
        /// Decisions from messages.
        approval: Approval = Approval::default(),
        /// Recovery plans and their documents.
        planner: Planner = Planner::default(),
        /// Execution on targets.
        executor: Executor = Executor::default(),
        /// Measuring targets.
        observe: Observe = Observe::default(),
        /// The transparency log over the record, and the keys of its payloads.
        audit: Audit = Audit::default(),
        /// A witness, for `muster run witness` alone.
        witness: Witness = Witness::default(),
        /// Where secret references are resolved.
        secrets: Secrets = Secrets::default(),
    }
}

section! {
    /// The one listener for gRPC, gRPC-Web and HTTP.
    Server {
        /// Address and port to listen on. Port 0 takes any free port.
        listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 7400)),
        /// How people and other systems reach Muster: used in links, in redirects and by the local issuer.
        public_url: String = "http://127.0.0.1:7400".to_owned(),
        /// The longest a unary call may take. A shorter deadline of the caller wins.
        request_timeout: HumanDuration = HumanDuration::seconds(30),
        /// How long a stopping process lets running calls and tasks finish.
        drain_timeout: HumanDuration = HumanDuration::seconds(20),
    }
}

section! {
    /// NATS with JetStream, 2.12 or newer.
    Nats {
        /// `nats://host:port` or `tls://host:port`; several servers of a cluster separated by commas.
        url: String = "nats://127.0.0.1:4222".to_owned(),
        /// User name, if the server asks for one.
        user: Option<String> = None,
        /// Reference to the password: `file:NAME` or `env:NAME`.
        password_ref: Option<String> = None,
        /// Copies of every stream: 1 on a single server, 3 in a cluster.
        replicas: usize = 1,
        /// Put before every stream name and subject, so that several installations can share a server.
        prefix: String = String::new(),
    }
}

section! {
    /// PostgreSQL 15 or newer.
    Postgres {
        /// `postgres://user@host:port/database` of the service role, which owns nothing. Without a password.
        url: String = "postgres://muster_service@127.0.0.1:5432/muster".to_owned(),
        /// Reference to the service role's password.
        password_ref: Option<String> = None,
        /// The same for the role that owns the tables. Given: migrations are run at start-up.
        owner_url: Option<String> = None,
        /// Reference to the owner's password.
        owner_password_ref: Option<String> = None,
    }
}

section! {
    /// OpenID Connect.
    Auth {
        /// The identity providers whose tokens are accepted.
        issuers: Vec<Issuer> = Vec::new(),
        /// Tolerated difference between the clocks of the provider and this host. At most 60 s.
        clock_skew: HumanDuration = HumanDuration::seconds(60),
    }
}

section! {
    /// One identity provider.
    Issuer {
        /// The `iss` of its tokens, byte for byte. https, except on a loopback address.
        issuer: String = String::new(),
        /// The `aud` that a token for Muster's API carries. Never the client id of the console.
        audience: String = String::new(),
        /// The client id with which people log in at the console and the command line.
        client_id: Option<String> = None,
        /// Reference to the client's secret, if the provider gave one.
        client_secret_ref: Option<String> = None,
        /// Scopes asked for at login.
        scopes: Vec<String> = ["openid", "profile", "email", "groups"].map(str::to_owned).to_vec(),
        /// The claim with the groups: a name, or a path such as `realm_access.roles`.
        groups_claim: String = "groups".to_owned(),
        /// The claim with the name that people read.
        name_claim: String = "name".to_owned(),
        /// Signature algorithms accepted from this provider.
        accepted_algorithms: Vec<Algorithm> = vec![Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA],
        /// The longest that fetched keys are used without asking again. Between 5 min and 24 h.
        jwks_max_age: HumanDuration = HumanDuration::seconds(24 * 3600),
        /// Values of `acr` that say that a second factor was shown. They are asked for when a decision needs a fresh login.
        step_up_acr: Vec<String> = Vec::new(),
        /// Values of `amr` (RFC 8176) that say the same. A provider that sends neither cannot be used for tier 1 from messages.
        step_up_amr: Vec<String> = ["mfa", "otp", "hwk", "swk", "fpt", "pop"].map(str::to_owned).to_vec(),
        /// Which group holds which role in which tenant. Groups that are not listed give nothing.
        mappings: Vec<Mapping> = Vec::new(),
    }
}

section! {
    /// One group's role in one tenant.
    Mapping {
        /// The group as the claim says it.
        group: String = String::new(),
        /// The tenant's name.
        tenant: String = String::new(),
        /// viewer, operator, approver-it, approver-business or admin.
        role: RoleName = RoleName::Viewer,
    }
}

section! {
    /// Local mode: an issuer without passwords for one machine. Refused unless everything is on loopback.
    Local {
        /// Whether this is `muster up` on one machine.
        enabled: bool = false,
        /// Where the local issuer keeps its signing key and local mode its data.
        directory: PathBuf = PathBuf::from(".muster"),
        /// Who can be chosen at the local login page.
        people: Vec<Person> = Vec::new(),
    }
}

section! {
    /// Somebody who exists in local mode only.
    Person {
        /// Login name; also the `sub` of the tokens.
        name: String = String::new(),
        /// The name that people read. Empty: the login name.
        display_name: String = String::new(),
        /// The groups the token carries.
        groups: Vec<String> = Vec::new(),
    }
}

section! {
    /// Logs go to standard error, metrics to /metrics, traces to a collector.
    Telemetry {
        /// OTLP gRPC endpoint for traces, such as `http://127.0.0.1:4317`. Absent: no export.
        otlp_endpoint: Option<String> = None,
        /// json or text.
        log_format: LogFormat = LogFormat::Json,
        /// A level (error, warn, info, debug, trace) or a filter such as `info,muster_executor=debug`.
        log_level: String = "info".to_owned(),
    }
}

section! {
    /// The mail server.
    Smtp {
        /// Host name.
        host: String = String::new(),
        /// Port.
        port: u16 = 587,
        /// implicit, starttls (required, never optional), or none (only towards loopback).
        tls: SmtpTls = SmtpTls::Starttls,
        /// User name, if the server asks for one.
        user: Option<String> = None,
        /// Reference to the password.
        password_ref: Option<String> = None,
        /// The sender, such as `Muster <muster@example.com>`.
        from: String = String::new(),
        /// A certificate authority to trust besides the system's, as a PEM file.
        ca_file: Option<PathBuf> = None,
    }
}

section! {
    /// Where webhooks may go.
    Webhooks {
        /// Private or loopback destinations that are allowed anyway: networks (`10.1.0.0/16`), addresses or host names.
        allow_private_addresses: Vec<String> = Vec::new(),
    }
}

section! {
    /// Decisions from messages.
    Approval {
        /// References to the keys that the links in messages to approvers are signed with, each a text of at least 32 characters. The first one signs, all are accepted: put a new one in front, and remove the old one when its requests are over. Absent: messages lead to the request's page, and no link decides.
        intent_key_refs: Vec<String> = Vec::new(),
    }
}

section! {
    /// Recovery plans and their documents.
    Planner {
        /// Reference to the key that run-cards are signed with: Ed25519 in PEM, as `openssl genpkey -algorithm ed25519` makes it. Absent: no run-cards.
        signing_key_ref: Option<String> = None,
    }
}

section! {
    /// What this executor may act on.
    Executor {
        /// The agents by the name that targets refer to.
        agents: BTreeMap<String, Agent> = BTreeMap::new(),
        /// The commands that plans may run, by the name that plans refer to.
        commands: BTreeMap<String, PlanCommand> = BTreeMap::new(),
        /// Private or loopback destinations that steps and conditions of plans may reach over HTTP, TCP or DNS: networks (`10.1.0.0/16`), addresses or host names. Plain http goes nowhere else.
        http_allow: Vec<String> = Vec::new(),
        /// How long a target may take to apply what it has received before a move gives up and is taken back.
        replay_limit: HumanDuration = HumanDuration::seconds(120),
    }
}

section! {
    /// One program that plans of one tenant may run. No shell; what a plan adds is passed as arguments, as it is.
    PlanCommand {
        /// The tenant whose plans may use it.
        tenant: String = String::new(),
        /// The program, an absolute path.
        program: PathBuf = PathBuf::new(),
        /// Put before the arguments of the plan.
        arguments: Vec<String> = Vec::new(),
        /// Variables of the executor's own environment that it is given. All others are hidden from it.
        environment: Vec<String> = Vec::new(),
        /// The longest it may run; a shorter limit of the step wins. Then its whole process group is killed.
        timeout: HumanDuration = HumanDuration::seconds(60),
        /// The user it runs as. Absent: the executor's own.
        run_as: Option<String> = None,
    }
}

section! {
    /// One place where commands are run for one tenant.
    Agent {
        /// The tenant whose targets may use it.
        tenant: String = String::new(),
        /// The server on the executor's own machine: postgresql, mariadb or redis (Valkey too). `local` means postgresql.
        kind: AgentKind = AgentKind::Postgresql,
        /// The data directory of the one server this agent looks after. Nothing outside is touched.
        data_directory: PathBuf = PathBuf::new(),
        /// Where the server's programs are (`pg_ctl` and `pg_rewind`, `mariadbd`, `redis-server` or `valkey-server`).
        bin_directory: PathBuf = PathBuf::new(),
        /// The user the programs run as. Absent: the executor's own.
        run_as: Option<String> = None,
        /// mariadb and redis: the file the server is started with. It names the data directory and includes the fence file.
        config_file: Option<PathBuf> = None,
        /// mariadb and redis: what is written here makes every later start one without writes by clients. Absent: `muster-fence.cnf` (mariadb) or `muster-fence.conf` (redis) beside the configuration file.
        fence_file: Option<PathBuf> = None,
        /// Where copies for isolated drills are made, outside every data directory; at most 40 bytes, so that a socket fits. Absent: none are made here.
        drill_directory: Option<PathBuf> = None,
        /// The backup repositories reachable from here, by the name that targets refer to.
        backups: BTreeMap<String, BackupRepository> = BTreeMap::new(),
    }
}

section! {
    /// One backup repository, as its own tool is told about it.
    BackupRepository {
        /// pgbackrest or restic.
        tool: BackupTool = BackupTool::Pgbackrest,
        /// The tool's program, an absolute path.
        program: PathBuf = PathBuf::new(),
        /// pgbackrest: its configuration file.
        config_file: Option<PathBuf> = None,
        /// pgbackrest: the stanza.
        stanza: String = String::new(),
        /// restic: the repository, such as `/srv/restic/orders` or `rest:https://…`.
        repository: String = String::new(),
        /// restic: reference to the repository's password, a secret of the tenant.
        password_ref: Option<String> = None,
        /// restic: only snapshots of this host. Empty: of every host.
        host: String = String::new(),
        /// restic: only snapshots of this path. Empty: of every path.
        path: String = String::new(),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackupTool {
    Pgbackrest,
    Restic,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AgentKind {
    // The word of installations that knew PostgreSQL alone.
    #[serde(alias = "local")]
    Postgresql,
    Mariadb,
    Redis,
}

section! {
    /// The collector's cycle.
    Observe {
        /// How often each target is measured.
        interval: HumanDuration = HumanDuration::seconds(2),
        /// How long connecting to a target may take.
        connect_timeout: HumanDuration = HumanDuration::seconds(3),
        /// How long one measurement may take.
        query_timeout: HumanDuration = HumanDuration::seconds(2),
        /// Most observations in one message to the log.
        batch_size: usize = 500,
        /// Longest an observation waits for its message to fill.
        batch_delay: HumanDuration = HumanDuration::millis(100),
    }
}

section! {
    /// The transparency log over every tenant's record.
    Audit {
        /// The first part of every log's origin, such as `audit.example.com`. Fixed at the first start; absent: the installation makes a UUID of its own.
        domain: Option<String> = None,
        /// Where the logs' files are: a directory, or `s3://bucket/prefix`. Absent: no transparency log is kept, and `muster doctor` says so.
        store: Option<String> = None,
        /// The directory of the logs' signing keys, one subdirectory for each tenant. For development; a KMS will take its place.
        keys: Option<PathBuf> = None,
        /// The directory of the keyring that tenants' payloads are encrypted under. Absent: payloads are stored in clear.
        payload_keys: Option<PathBuf> = None,
        /// Who cosigns checkpoints.
        witnesses: Vec<AuditWitness> = Vec::new(),
        /// How many of them a checkpoint needs before it counts as evidence.
        quorum: usize = 0,
        /// Further places that checkpoints are kept at.
        anchors: Vec<AuditAnchor> = Vec::new(),
        /// How long checkpoints may stay unwitnessed before people are told.
        witness_patience: HumanDuration = HumanDuration::seconds(15 * 60),
    }
}

section! {
    /// One witness, as C2SP tlog-witness defines it.
    AuditWitness {
        /// What people call it.
        name: String = String::new(),
        /// Where it answers; `add-checkpoint` is appended.
        url: String = String::new(),
        /// Its public key: `<name>+<key id>+<base64>`.
        verifier_key: String = String::new(),
    }
}

section! {
    /// One more place for checkpoints.
    AuditAnchor {
        /// What people call it.
        name: String = String::new(),
        /// store, rfc3161 or git.
        kind: AnchorKind = AnchorKind::Store,
        /// store: a directory or `s3://bucket/prefix`. rfc3161: the URL of the time-stamping authority. git: the path of a repository.
        location: String = String::new(),
        /// How often.
        every: HumanDuration = HumanDuration::seconds(3600),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnchorKind {
    Store,
    Rfc3161,
    Git,
}

section! {
    /// A small server of its own that cosigns checkpoints and remembers the newest of each log.
    Witness {
        /// Its name, in its key and its cosignatures: a host name that its operator owns.
        name: String = String::new(),
        /// Where it keeps what it has seen. A file.
        state: PathBuf = PathBuf::from("witness.state"),
        /// Its signing key: a file that is made at the first start.
        key: PathBuf = PathBuf::from("witness.key"),
        /// The logs it knows: public keys as the logs print them (`muster audit log`).
        logs: Vec<String> = Vec::new(),
        /// A file with more of them, one on each line; read again when a log is not known. `#` begins a comment.
        logs_file: Option<PathBuf> = None,
        /// Whether the next epoch of a log is known with the log, as long as it is signed by the same key. false: a person lists the key of each epoch.
        accept_next_epochs: bool = true,
    }
}

section! {
    /// `file:NAME` means `<directory>/<tenant>/NAME`, for Muster's own secrets `<directory>/_system/NAME`.
    Secrets {
        /// Absent: references to files are refused.
        directory: Option<PathBuf> = None,
    }
}
