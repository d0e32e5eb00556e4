//! A verified caller: who they are for ever, what they are called, what they may do where.

use std::collections::BTreeMap;

use jiff::Timestamp;
use muster_domain::{
    TenantId,
    pb::common::v1::{Actor, ActorKind, Role},
    request::Login,
};

use super::{AuthError, claims, token::Claims};
use crate::config;

/// Names are shown and stored in every event.
const MAX_NAME: usize = 120;
/// OpenID Connect Core: a subject has at most 255 ASCII characters.
const MAX_SUBJECT: usize = 255;

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// "issuer|subject": stable, and never an e-mail address.
    pub id: String,
    pub name: String,
    pub kind: ActorKind,
    /// When the token ends. A stream should end then, too.
    pub expires_at: Timestamp,
    /// How they logged in, as far as the token says.
    pub login: Login,
    /// Roles per tenant. A tenant that is not in it: no access.
    pub tenants: BTreeMap<TenantId, Vec<Role>>,
}

impl Caller {
    /// The roles held in a tenant; empty for a stranger.
    pub fn roles_in(&self, tenant: &TenantId) -> &[Role] {
        self.tenants.get(tenant).map_or(&[], Vec::as_slice)
    }

    /// As it is written into events of this tenant.
    pub fn actor_in(&self, tenant: &TenantId) -> Actor {
        Actor {
            id: self.id.clone(),
            name: self.name.clone(),
            kind: self.kind.into(),
            roles: self.roles_in(tenant).iter().map(|role| (*role).into()).collect(),
        }
    }
}

pub(super) fn from_claims(claims: &Claims, issuer: &config::Issuer) -> Result<Caller, AuthError> {
    let subject = claims::text(claims, "sub").ok_or(AuthError::ClaimMissing("sub"))?;
    if subject.len() > MAX_SUBJECT {
        return Err(AuthError::Malformed("its subject is longer than 255 characters"));
    }
    let groups = claims::groups(claims, &issuer.groups_claim)?;
    Ok(Caller {
        id: format!("{}|{subject}", issuer.issuer),
        name: name_of(claims, issuer, subject),
        kind: if is_machine(claims, subject) { ActorKind::Machine } else { ActorKind::Person },
        expires_at: claims::expires_at(claims)?,
        login: claims::login(claims, issuer),
        tenants: tenants_of(&groups, issuer),
    })
}

fn tenants_of(groups: &[&str], issuer: &config::Issuer) -> BTreeMap<TenantId, Vec<Role>> {
    let mut tenants: BTreeMap<TenantId, Vec<Role>> = BTreeMap::new();
    for mapping in issuer.mappings.iter().filter(|m| groups.contains(&m.group.as_str())) {
        // Validated when the configuration was loaded.
        let Ok(tenant) = mapping.tenant.parse::<TenantId>() else { continue };
        let roles = tenants.entry(tenant).or_default();
        let role = Role::from(mapping.role);
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    for roles in tenants.values_mut() {
        roles.sort_by_key(|role| i32::from(*role));
    }
    tenants
}

fn name_of(claims: &Claims, issuer: &config::Issuer, subject: &str) -> String {
    let name = [issuer.name_claim.as_str(), "name", "preferred_username", "client_id"]
        .into_iter()
        .find_map(|claim| claims::text(claims, claim))
        .unwrap_or(subject);
    // Names end in terminals, mails and pages: no control characters, bounded.
    name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect()
}

/// Tokens of the client credentials grant have no person behind them. Every sign counts, since a machine that is taken
/// for a person could approve.
fn is_machine(claims: &Claims, subject: &str) -> bool {
    let is = |claim: &str, value: &str| claims::text(claims, claim).is_some_and(|v| v.eq_ignore_ascii_case(value));
    // RFC 9068, 2.2: without a resource owner `sub` is the client itself. `appid` and `cid`: Entra v1 and Okta.
    let is_own_client =
        ["client_id", "azp", "appid", "cid"].iter().any(|claim| claims::text(claims, claim) == Some(subject));
    let entra = is("idtyp", "app") || claims::text(claims, "oid") == Some(subject);
    let auth0 = is("gty", "client-credentials") || subject.ends_with("@clients");
    let keycloak = claims::text(claims, "preferred_username").is_some_and(|name| name.starts_with("service-account-"));
    let kubernetes = subject.starts_with("system:serviceaccount:");
    is_own_client || entra || auth0 || keycloak || kubernetes
}
