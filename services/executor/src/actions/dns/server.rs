//! One name server, asked over TCP: answers of any size, and none that somebody else could have sent.

use std::{fmt, net::SocketAddr, time::Duration};

use hickory_proto::{
    op::{Message, Query, ResponseCode},
    rr::{Name, RData, RecordType},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    DnsError, Values,
    record::{Change, RecordKind, absolute, values_words},
};
use crate::actions::Surroundings;

/// One exchange, the connection included.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(4);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::actions) enum Recursion {
    /// What clients get from a resolver.
    Desired,
    /// What this server holds itself.
    Off,
}

/// A server as the plan names it, with the addresses that may be used.
pub(in crate::actions) struct Server {
    name: String,
    addresses: Vec<SocketAddr>,
}

/// What a server holds for one name and type.
pub(in crate::actions) struct RecordSet {
    name: Name,
    kind: RecordKind,
    pub values: Values,
    /// Of the zone. 0 where it was not asked.
    pub serial: u32,
}

impl fmt::Display for RecordSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.name, self.kind, values_words(&self.values))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Server {
    pub(in crate::actions) async fn resolve(endpoint: &str, s: &Surroundings) -> Result<Self, DnsError> {
        Ok(Self { name: endpoint.to_owned(), addresses: s.outgoing.policy().resolve(endpoint).await? })
    }

    pub(in crate::actions) async fn look_up(
        &self,
        name: &str,
        kind: RecordKind,
        recursion: Recursion,
    ) -> Result<RecordSet, DnsError> {
        let name = absolute(name)?;
        let answer = self.ask(&name, kind.record_type(), recursion).await?;
        Ok(RecordSet { values: values_of(&answer, &name, kind), name, kind, serial: 0 })
    }

    /// The set and the zone's serial, from an authority.
    pub(super) async fn authoritative(&self, change: &Change) -> Result<RecordSet, DnsError> {
        let answer = self.ask(&change.name, change.kind.record_type(), Recursion::Off).await?;
        if !answer.authoritative {
            return Err(DnsError::NotAuthoritative { server: self.name.clone(), name: change.name.to_string() });
        }
        let serial = self.serial(&change.zone).await?;
        let values = values_of(&answer, &change.name, change.kind);
        Ok(RecordSet { values, name: change.name.clone(), kind: change.kind, serial })
    }

    async fn serial(&self, zone: &Name) -> Result<u32, DnsError> {
        let answer = self.ask(zone, RecordType::SOA, Recursion::Off).await?;
        let serial = answer.answers.iter().find_map(|record| match &record.data {
            RData::SOA(soa) if record.name == *zone => Some(soa.serial),
            _ => None,
        });
        serial.ok_or_else(|| DnsError::NotAuthoritative { server: self.name.clone(), name: zone.to_string() })
    }

    async fn ask(&self, name: &Name, kind: RecordType, recursion: Recursion) -> Result<Message, DnsError> {
        let mut message = Message::query();
        message.metadata.recursion_desired = recursion == Recursion::Desired;
        message.add_query(Query::query(name.clone(), kind));
        let bytes = message.to_vec().map_err(|error| self.unreadable(&error))?;
        let answer = self.exchange(&bytes).await?;
        let answer = Message::from_vec(&answer).map_err(|error| self.unreadable(&error))?;
        if answer.id != message.id {
            return Err(self.unreadable(&"the answer is to another question"));
        }
        match answer.response_code {
            ResponseCode::NoError => Ok(answer),
            // The name does not exist: a set without values.
            ResponseCode::NXDomain => Ok(answer),
            code => Err(DnsError::Code { server: self.name.clone(), code: code.to_string(), name: name.to_string() }),
        }
    }

    /// One message out, one back, over the first address that takes a connection.
    pub(super) async fn exchange(&self, bytes: &[u8]) -> Result<Vec<u8>, DnsError> {
        let no_answer = |why: String| DnsError::NoAnswer { server: self.name.clone(), why };
        let talk = async {
            let mut stream = self.connect().await?;
            let length = u16::try_from(bytes.len()).map_err(std::io::Error::other)?;
            stream.write_all(&[&length.to_be_bytes(), bytes].concat()).await?;
            let length = stream.read_u16().await?;
            let mut answer = vec![0; length.into()];
            stream.read_exact(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        match tokio::time::timeout(EXCHANGE_LIMIT, talk).await {
            Ok(answer) => answer.map_err(|error| no_answer(error.to_string())),
            Err(_) => Err(no_answer(format!("nothing within {} s", EXCHANGE_LIMIT.as_secs()))),
        }
    }

    async fn connect(&self) -> std::io::Result<TcpStream> {
        let mut last = std::io::Error::other("no address");
        for address in &self.addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    pub(super) fn unreadable(&self, why: &dyn fmt::Display) -> DnsError {
        DnsError::Unreadable { server: self.name.clone(), why: why.to_string() }
    }
}

/// Of the name itself: what an alias leads to is another set. A resolver that followed one is asked for its end.
fn values_of(answer: &Message, name: &Name, kind: RecordKind) -> Values {
    let mut owner = name.clone();
    for record in &answer.answers {
        if let (RData::CNAME(alias), false) = (&record.data, kind == RecordKind::Cname)
            && record.name == owner
        {
            owner = alias.0.clone();
        }
    }
    let of_owner = answer.answers.iter().filter(|record| record.name == owner);
    of_owner.filter_map(|record| kind.spell(&record.data)).collect()
}
