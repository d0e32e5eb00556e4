//! The defaults of `muster up`: one machine, a demo tenant, one person for each role.

use super::{Config, Issuer, Local, LogFormat, Mapping, Person, RoleName, Telemetry};

/// Below the public URL; the local issuer answers there.
pub const LOCAL_ISSUER_PATH: &str = "/local-issuer";
/// The `aud` of tokens for Muster's API.
pub const LOCAL_AUDIENCE: &str = "muster-api";
/// The client id of console and command line at the local issuer.
pub const LOCAL_CLIENT: &str = "muster";
/// The `acr` of a login that was made for a decision. Nothing is proven by it here, as by no login of local mode.
pub const LOCAL_STEP_UP: &str = "urn:muster:local:step-up";
/// The tenant that exists from the start in local mode.
pub const LOCAL_TENANT: &str = "demo";

/// Login name, display name, role. Requester and approver are different people on purpose.
const PEOPLE: &[(&str, &str, RoleName)] = &[
    ("vera", "Vera (viewer)", RoleName::Viewer),
    ("olga", "Olga (operator)", RoleName::Operator),
    ("igor", "Igor (IT approver)", RoleName::ApproverIt),
    ("bea", "Bea (business approver)", RoleName::ApproverBusiness),
    ("ada", "Ada (admin)", RoleName::Admin),
];

impl Config {
    /// What `muster up` starts from.
    pub fn local() -> Self {
        let mut config = Self {
            local: Local { enabled: true, people: people(), ..Local::default() },
            telemetry: Telemetry { log_format: LogFormat::Text, ..Telemetry::default() },
            ..Self::default()
        };
        config.use_local_issuer();
        config
    }

    /// Points `auth` at the local issuer below the present `server.public_url`. Call again after changing the URL
    /// (a port that was chosen at bind time).
    pub fn use_local_issuer(&mut self) {
        let issuer = self.local_issuer();
        self.auth.issuers.retain(|other| !other.issuer.ends_with(LOCAL_ISSUER_PATH));
        self.auth.issuers.push(issuer);
    }

    fn local_issuer(&self) -> Issuer {
        Issuer {
            issuer: format!("{}{LOCAL_ISSUER_PATH}", self.server.public_url.trim_end_matches('/')),
            audience: LOCAL_AUDIENCE.to_owned(),
            client_id: Some(LOCAL_CLIENT.to_owned()),
            step_up_acr: vec![LOCAL_STEP_UP.to_owned()],
            mappings: mappings(),
            ..Issuer::default()
        }
    }
}

fn people() -> Vec<Person> {
    PEOPLE
        .iter()
        .map(|(name, display, role)| Person {
            name: (*name).to_owned(),
            display_name: (*display).to_owned(),
            groups: vec![group(*role).to_owned()],
        })
        .collect()
}

fn mappings() -> Vec<Mapping> {
    let mut mappings: Vec<Mapping> = PEOPLE
        .iter()
        .map(|(_, _, role)| Mapping { group: group(*role).to_owned(), tenant: LOCAL_TENANT.to_owned(), role: *role })
        .collect();
    // The admin of the machine also registers tenants.
    mappings.push(Mapping {
        group: group(RoleName::Admin).to_owned(),
        tenant: muster_domain::TenantId::OPERATING.to_owned(),
        role: RoleName::Admin,
    });
    mappings
}

fn group(role: RoleName) -> &'static str {
    match role {
        RoleName::Viewer => "demo-viewers",
        RoleName::Operator => "demo-operators",
        RoleName::ApproverIt => "demo-approvers-it",
        RoleName::ApproverBusiness => "demo-approvers-business",
        RoleName::Admin => "demo-admins",
    }
}
