//! Real BIND servers, a primary and its secondary, and one that lies.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use hickory_proto::{
    op::{Message, MessageType, OpCode, ResponseCode},
    rr::{
        Name, RData, Record, RecordType, TSigResponseContext, TSigner,
        rdata::{A, SOA, tsig::TsigAlgorithm},
    },
};
use muster_local::tools;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::stage::eventually;

/// 32 bytes.
pub(super) const SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const ZONE: &str = "$TTL 60\n@ SOA ns.dr.example. admin.dr.example. 1 60 60 3600 60\n@ NS ns.dr.example.\nns A 127.0.0.1\n\
    app A 10.0.0.1\nwww CNAME old.dr.example.\nsix AAAA 2001:db8::1\nother A 10.9.9.9\n";

/// A server process in its own directory, ended when this is dropped.
pub(super) struct NameServer {
    pub port: u16,
    process: Child,
    _directory: tempfile::TempDir,
}

impl Drop for NameServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl NameServer {
    fn start(named: &Path, port: u16, zone: &str, files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(directory.path().join(name), content).unwrap();
        }
        let configuration = directory.path().join("named.conf");
        let here = directory.path().display();
        std::fs::write(
            &configuration,
            format!(
                "options {{ directory \"{here}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; \
                 pid-file \"{here}/pid\"; session-keyfile \"{here}/session.key\"; recursion no; notify-delay 0; \
                 dnssec-validation no; allow-transfer {{ any; }}; }};\ncontrols {{ }};\n\
                 key \"switch\" {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\n{zone}"
            ),
        )
        .unwrap();
        Self { port, process: run(named, &configuration), _directory: directory }
    }

    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

fn run(named: &Path, configuration: &Path) -> Child {
    Command::new(named)
        .args(["-g", "-n", "1", "-c"])
        .arg(configuration)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The primary may change three names with the key, and tells its secondary at once.
/// `None`: this machine cannot have BIND, and that was said.
pub(super) async fn primary_and_secondary() -> Option<(NameServer, NameServer)> {
    let named = tools::or_skip(tools::named()).unwrap()?;
    let (first, second) = (muster_local::free_port().unwrap(), muster_local::free_port().unwrap());
    let grants: String =
        ["app", "www", "six"].map(|name| format!("grant switch name {name}.dr.example. A AAAA CNAME; ")).concat();
    let primary = NameServer::start(
        &named,
        first,
        &format!(
            "zone \"dr.example\" {{ type primary; file \"zone\"; notify explicit; also-notify {{ 127.0.0.1 port {second}; }}; \
             update-policy {{ {grants} }}; }};"
        ),
        &[("zone", ZONE)],
    );
    // A secondary that finds no primary at its start tries again only after a minute.
    is_up(&primary).await;
    let secondary = NameServer::start(
        &named,
        second,
        &format!("zone \"dr.example\" {{ type secondary; file \"zone\"; primaries {{ 127.0.0.1 port {first}; }}; }};"),
        &[],
    );
    is_up(&secondary).await;
    Some((primary, secondary))
}

async fn is_up(server: &NameServer) {
    eventually("the name server answers", async || {
        value(&server.address(), "app").await.as_deref() == Some("10.0.0.1")
    })
    .await;
}

/// Asked by this test's own few lines: A records of a name, or what the server says instead.
pub(super) async fn value(address: &str, label: &str) -> Option<String> {
    let mut message = Message::query();
    let name: Name = format!("{label}.dr.example.").parse().unwrap();
    message.add_query(hickory_proto::op::Query::query(name, RecordType::A));
    let mut stream = tokio::net::TcpStream::connect(address).await.ok()?;
    let bytes = message.to_vec().unwrap();
    stream.write_all(&[&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], &bytes].concat()).await.ok()?;
    let mut answer = vec![0; stream.read_u16().await.ok()?.into()];
    stream.read_exact(&mut answer).await.ok()?;
    let answer = Message::from_vec(&answer).ok()?;
    answer.answers.iter().find_map(|record| match &record.data {
        RData::A(a) => Some(a.0.to_string()),
        _ => None,
    })
}

/// How a server that is none treats an update. It never changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    /// Signed, as it should be.
    NoError,
    Unsigned,
    /// The connection is closed without an answer.
    Silence,
}

pub(super) async fn liar(lie: Lie) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let Ok(length) = stream.read_u16().await else { continue };
            let mut bytes = vec![0; length.into()];
            if stream.read_exact(&mut bytes).await.is_err() {
                continue;
            }
            let asked = Message::from_vec(&bytes).unwrap();
            if let Some(answer) = answer_of(&asked, lie) {
                let _ = stream
                    .write_all(&[&u16::try_from(answer.len()).unwrap().to_be_bytes()[..], &answer].concat())
                    .await;
            }
        }
    });
    address
}

fn answer_of(asked: &Message, lie: Lie) -> Option<Vec<u8>> {
    let mut answer = Message::new(asked.id, MessageType::Response, asked.op_code);
    answer.metadata.authoritative = true;
    answer.metadata.response_code = ResponseCode::NoError;
    if asked.op_code == OpCode::Update {
        if lie == Lie::Silence {
            return None;
        }
        let bytes = answer.to_vec().unwrap();
        if lie == Lie::NoError {
            let tsig = asked.signature().unwrap();
            let key = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, SECRET).unwrap();
            let signer = TSigner::new(key, TsigAlgorithm::HmacSha256, "switch.".parse().unwrap(), 300).unwrap();
            let context = TSigResponseContext::new(asked.id, tsig.data.time, signer, tsig.data.mac.clone(), None);
            answer.set_signature(context.sign(&bytes).unwrap());
        }
        return Some(answer.to_vec().unwrap());
    }
    let query = &asked.queries[0];
    answer.add_query(query.clone());
    let data = match query.query_type() {
        RecordType::SOA => {
            let (ns, admin) = ("ns.dr.example.".parse().unwrap(), "admin.dr.example.".parse().unwrap());
            RData::SOA(SOA::new(ns, admin, 1, 60, 60, 3600, 60))
        }
        _ => RData::A(A("10.0.0.1".parse().unwrap())),
    };
    answer.add_answer(Record::from_rdata(query.name().clone(), 60, data));
    Some(answer.to_vec().unwrap())
}
