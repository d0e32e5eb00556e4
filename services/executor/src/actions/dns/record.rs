//! What a step may change: A, AAAA and CNAME sets of one name. Values are compared as they mean, not as they are spelt.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use hickory_proto::rr::{
    Name, RData, RecordType,
    rdata::{A, AAAA, CNAME},
};
use muster_domain::{pb::plan::v1::DnsAction, time::duration_from_pb};

use super::{DnsError, Values};

/// The sheet's advice: clients must see the next change soon as well.
const DEFAULT_TTL: u32 = 60;
const MAX_TTL: u32 = 86_400;
/// More values than a service has addresses.
const MAX_VALUES: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::actions) enum RecordKind {
    A,
    Aaaa,
    Cname,
}

impl RecordKind {
    pub(in crate::actions) fn parse(text: &str) -> Result<Self, DnsError> {
        match text.to_ascii_uppercase().as_str() {
            "A" => Ok(Self::A),
            "AAAA" => Ok(Self::Aaaa),
            "CNAME" => Ok(Self::Cname),
            _ => Err(DnsError::Form(format!("'{text}' is not a type that is used here: A, AAAA or CNAME"))),
        }
    }

    pub(super) fn record_type(self) -> RecordType {
        match self {
            Self::A => RecordType::A,
            Self::Aaaa => RecordType::AAAA,
            Self::Cname => RecordType::CNAME,
        }
    }

    /// The values in one spelling.
    pub(in crate::actions) fn values(self, texts: &[String]) -> Result<Values, DnsError> {
        if texts.len() > MAX_VALUES {
            return Err(DnsError::Form(format!("{} values; at most {MAX_VALUES}", texts.len())));
        }
        texts.iter().map(|text| Ok(self.spell(&self.rdata(text)?).unwrap_or_default())).collect()
    }

    pub(super) fn rdata(self, text: &str) -> Result<RData, DnsError> {
        let wrong = || DnsError::Form(format!("'{text}' is not a value of {self}"));
        Ok(match self {
            Self::A => RData::A(A(text.parse::<Ipv4Addr>().map_err(|_| wrong())?)),
            Self::Aaaa => RData::AAAA(AAAA(text.parse::<Ipv6Addr>().map_err(|_| wrong())?)),
            Self::Cname => RData::CNAME(CNAME(absolute(text).map_err(|_| wrong())?)),
        })
    }

    /// `None`: data of another type.
    pub(super) fn spell(self, data: &RData) -> Option<String> {
        match (self, data) {
            (Self::A, RData::A(a)) => Some(a.0.to_string()),
            (Self::Aaaa, RData::AAAA(aaaa)) => Some(aaaa.0.to_string()),
            (Self::Cname, RData::CNAME(cname)) => Some(cname.0.to_lowercase().to_ascii()),
            _ => None,
        }
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
        })
    }
}

/// A step's change, understood.
pub(super) struct Change {
    pub zone: Name,
    pub name: Name,
    pub kind: RecordKind,
    pub from: Values,
    pub to: Values,
    pub ttl: u32,
}

impl Change {
    pub(super) fn of(action: &DnsAction) -> Result<Self, DnsError> {
        let (zone, name) = (absolute(&action.zone)?, absolute(&action.name)?);
        if zone.is_root() || !zone.zone_of(&name) {
            return Err(DnsError::Form(format!("the name {name} is not in the zone {zone}")));
        }
        let kind = RecordKind::parse(&action.r#type)?;
        let (from, to) = (kind.values(&action.from_values)?, kind.values(&action.to_values)?);
        // Never delete-only, and never a creation: the step replaces.
        if from.is_empty() || to.is_empty() {
            return Err(DnsError::Form("both sides need at least one value".to_owned()));
        }
        let ttl = duration_from_pb(action.ttl.as_ref()).map_or(Ok(DEFAULT_TTL), |ttl| {
            let seconds = u32::try_from(ttl.as_secs()).ok().filter(|seconds| (1..=MAX_TTL).contains(seconds));
            seconds.ok_or_else(|| DnsError::Form(format!("a TTL of {} s; 1 s to 1 d", ttl.as_secs())))
        })?;
        Ok(Self { zone, name, kind, from, to, ttl })
    }
}

pub(super) fn absolute(text: &str) -> Result<Name, DnsError> {
    let name = Name::from_str(text).ok().filter(|name| !text.is_empty() && name.num_labels() > 0);
    let mut name = name.ok_or_else(|| DnsError::Form(format!("'{text}' is not a domain name")))?;
    name.set_fqdn(true);
    Ok(name)
}

pub(super) fn values_words(values: &Values) -> String {
    if values.is_empty() { "nothing".to_owned() } else { values.iter().cloned().collect::<Vec<_>>().join(", ") }
}
