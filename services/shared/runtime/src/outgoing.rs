//! Where Muster may connect to because somebody typed it: webhooks, and the steps and conditions of plans. Without this,
//! tenants could make us call our own network.
//!
//! The address that was checked is the address that is connected to: names are resolved by [`Guarded`],
//! which hands only checked addresses to the connector, so a name cannot change its mind in between.
//!
//! Addresses of a cloud's metadata and link-local ones are refused whatever the operator allows: what answers there gives
//! out the machine's own credentials.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// A destination that is refused. Shown to the tenant: it names the rule, not our network.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refused {
    #[error("the URL is not valid: {0}")]
    NotAUrl(String),
    #[error("only https is used; http only towards an allowed loopback address")]
    NotHttps,
    #[error("port {0} is not allowed; use 443, or ask the operator to allow the address")]
    Port(u16),
    #[error("credentials in the URL are not allowed")]
    Credentials,
    #[error("{host} is a private, local or reserved address; ask the operator to allow it in {setting}")]
    PrivateAddress { host: String, setting: &'static str },
    #[error("{host} is a link-local or metadata address, and those are never used")]
    NeverUsed { host: String },
    #[error("'{0}' is not host:port")]
    NotAnEndpoint(String),
    #[error("{host} has no address")]
    NoAddress { host: String },
}

/// An entry of an allow list that is none.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{0}' is no network, address or host name. Next: correct it, such as 10.1.0.0/16")]
pub struct AllowListError(pub String);

/// Who typed the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Any tenant, at any time: https on 443 alone.
    Webhooks,
    /// Part of a plan that people approved: any port; http only towards what the operator allows.
    Steps,
}

/// The operator's rules.
#[derive(Debug, Clone)]
pub struct Policy {
    of: Use,
    networks: Vec<IpNet>,
    hosts: Vec<String>,
}

impl Policy {
    /// For webhooks. The list: networks, addresses or host names that are allowed although they are private.
    pub fn webhooks(allow: &[String]) -> Result<Self, AllowListError> {
        Self::new(Use::Webhooks, allow)
    }

    /// For what the steps and conditions of plans connect to.
    pub fn steps(allow: &[String]) -> Result<Self, AllowListError> {
        Self::new(Use::Steps, allow)
    }

    fn new(of: Use, allow: &[String]) -> Result<Self, AllowListError> {
        let mut policy = Self { of, networks: Vec::new(), hosts: Vec::new() };
        for entry in allow {
            let text = entry.trim().trim_end_matches('.').to_ascii_lowercase();
            let is_name =
                !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
            if let Ok(network) = text.parse::<IpNet>() {
                policy.networks.push(network);
            } else if let Ok(address) = text.parse::<IpAddr>() {
                policy.networks.push(address.into());
            } else if is_name {
                policy.hosts.push(text);
            } else {
                return Err(AllowListError(entry.clone()));
            }
        }
        Ok(policy)
    }

    /// Checks everything but what a name resolves to.
    pub fn check_url(&self, text: &str) -> Result<Url, Refused> {
        let url = Url::parse(text).map_err(|e| Refused::NotAUrl(e.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Credentials);
        }
        let host = url.host().ok_or_else(|| Refused::NotAUrl("it names no host".into()))?;
        let (address, allowed) = match host {
            Host::Ipv4(ip) => (Some(IpAddr::V4(ip)), self.allows(IpAddr::V4(ip))),
            Host::Ipv6(ip) => (Some(IpAddr::V6(ip)), self.allows(IpAddr::V6(ip))),
            Host::Domain(name) => (None, self.allows_name(name)),
        };
        match url.scheme() {
            "https" => {}
            "http"
                if allowed && (address.is_some_and(|ip| ip.is_loopback()) || url.host_str() == Some("localhost")) => {}
            // What a name leads to is checked when it is resolved: see `Guarded`.
            "http" if self.of == Use::Steps && (allowed || address.is_none()) => {}
            _ => return Err(Refused::NotHttps),
        }
        let port = url.port_or_known_default().unwrap_or(0);
        if port != 443 && !allowed && self.of == Use::Webhooks {
            return Err(Refused::Port(port));
        }
        if let Some(ip) = address {
            self.check_address(&ip.to_string(), ip)?;
        }
        Ok(url)
    }

    /// Whether one address may be connected to.
    pub fn check_address(&self, host: &str, ip: IpAddr) -> Result<(), Refused> {
        if is_never_used(ip) {
            return Err(Refused::NeverUsed { host: host.to_owned() });
        }
        if is_public(ip) || self.is_listed(host, ip) {
            return Ok(());
        }
        Err(self.private(host))
    }

    /// Resolves "host:port" to addresses that may be connected to.
    pub async fn resolve(&self, endpoint: &str) -> Result<Vec<SocketAddr>, Refused> {
        let not_one = || Refused::NotAnEndpoint(endpoint.to_owned());
        let (host, port) = endpoint.rsplit_once(':').ok_or_else(not_one)?;
        let port: u16 = port.parse().ok().filter(|port| *port != 0).ok_or_else(not_one)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let found = tokio::net::lookup_host((host, port)).await;
        let found = found.map_err(|_| Refused::NoAddress { host: host.to_owned() })?.collect();
        checked(self, host, found, false)
    }

    fn private(&self, host: &str) -> Refused {
        let setting = match self.of {
            Use::Webhooks => "webhooks.allow_private_addresses",
            Use::Steps => "executor.http_allow",
        };
        Refused::PrivateAddress { host: host.to_owned(), setting }
    }

    fn is_listed(&self, host: &str, ip: IpAddr) -> bool {
        self.allows(ip) || self.allows_name(host)
    }

    fn allows(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.networks.iter().any(|network| network.contains(&ip))
    }

    fn allows_name(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        self.hosts.contains(&name)
    }
}

/// Reachable for everybody on the Internet, by the registries of special-purpose addresses (RFC 6890 and successors).
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local() // also the clouds' metadata, 169.254.169.254
        || ip.is_multicast()
        || ip.is_broadcast()
        || ip.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b)) // carrier-grade NAT; also Alibaba's metadata
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19));
    // Azure's WireServer: a public number that answers only inside a virtual machine.
    !special && ip != Ipv4Addr::new(168, 63, 129, 16)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    // Global unicast only; out of it, what embeds or tunnels other addresses is refused too:
    // mapped, NAT64, 6to4 and Teredo could carry a private IPv4.
    (a & 0xe000) == 0x2000
        && a != 0x2002
        && !(a == 0x2001 && b < 0x0200)
        && !(a == 0x2001 && b == 0x0db8)
        && !(a == 0x3fff && b < 0x1000)
}

/// Reachable from this machine alone, and worth a credential: link-local addresses and the clouds' metadata services.
fn is_never_used(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            ip.is_link_local() || ip == Ipv4Addr::new(100, 100, 100, 200) || ip == Ipv4Addr::new(168, 63, 129, 16)
        }
        IpAddr::V6(ip) => ip.is_unicast_link_local() || ip == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    }
}

/// Resolves a name and lets only checked addresses through.
pub struct Guarded {
    policy: Arc<Policy>,
    only_listed: bool,
}

impl Guarded {
    pub fn new(policy: Arc<Policy>) -> Self {
        Self { policy, only_listed: false }
    }

    /// For http without TLS: public addresses are refused as well.
    pub fn only_listed(policy: Arc<Policy>) -> Self {
        Self { policy, only_listed: true }
    }
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, only_listed) = (self.policy.clone(), self.only_listed);
        Box::pin(async move {
            let host = name.as_str().to_owned();
            // Port 0: the connector puts the URL's port in.
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            Ok(Box::new(checked(&policy, &host, found, only_listed)?.into_iter()) as Addrs)
        })
    }
}

/// One forbidden address refuses the name: a name that mixes them is an attempt to get inside.
fn checked(policy: &Policy, host: &str, found: Vec<SocketAddr>, only_listed: bool) -> Result<Vec<SocketAddr>, Refused> {
    if found.is_empty() {
        return Err(Refused::NoAddress { host: host.to_owned() });
    }
    for address in &found {
        policy.check_address(host, address.ip())?;
        if only_listed && !policy.is_listed(host, address.ip()) {
            return Err(Refused::NotHttps);
        }
    }
    Ok(found)
}

#[cfg(test)]
#[path = "outgoing_tests.rs"]
mod tests;
