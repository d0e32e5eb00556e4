//! Does JetStream answer? Asked over the plain NATS protocol, so this crate needs no client library.

use std::time::Duration;

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

use super::Credentials;

const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// The account information is about 1 kB.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// True when the server gave its JetStream account information. A cluster without a leader answers
/// with an error or not at all.
pub(super) async fn jetstream_answers(port: u16, credentials: Option<&Credentials>) -> bool {
    matches!(timeout(ANSWER_LIMIT, ask(port, credentials)).await, Ok(Ok(answer)) if !answer.contains("\"error\""))
}

async fn ask(port: u16, credentials: Option<&Credentials>) -> std::io::Result<String> {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await?);
    let mut line = String::new();
    stream.read_line(&mut line).await?; // INFO {…}
    let login = credentials.map_or(String::new(), |c| format!(",\"user\":{:?},\"pass\":{:?}", c.user, c.password));
    let request = format!(
        "CONNECT {{\"verbose\":false,\"pedantic\":false{login}}}\r\nSUB _INBOX.ready 1\r\nPUB $JS.API.INFO _INBOX.ready 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 || line.starts_with("-ERR") {
            return Err(std::io::Error::other(line));
        }
        if let Some(size) = line.strip_prefix("MSG _INBOX.ready 1 ") {
            let size: usize = size.trim().parse().map_err(std::io::Error::other)?;
            let mut body = vec![0; size.min(MAX_ANSWER_BYTES)];
            stream.read_exact(&mut body).await?;
            return Ok(String::from_utf8_lossy(&body).into_owned());
        }
    }
}
