//! A time-stamping authority on this machine: a small HTTP server around `openssl ts -reply`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

const CONFIG: &str = "[ req ]
prompt = no
distinguished_name = name
x509_extensions = authority
[ name ]
CN = Test time stamps
[ authority ]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, nonRepudiation
extendedKeyUsage = critical, timeStamping
[ tsa ]
default_tsa = one
[ one ]
serial = ./serial
crypto_device = builtin
signer_cert = ./certificate.pem
signer_key = ./key.pem
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256
accuracy = secs:1
";

pub(crate) struct Authority {
    pub(crate) url: String,
    pub(crate) certificate: PathBuf,
}

impl Authority {
    /// It lives as long as the runtime.
    pub(crate) async fn start(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory)?;
        fs::write(directory.join("openssl.cnf"), CONFIG)?;
        fs::write(directory.join("serial"), "01\n")?;
        let key = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-config", "openssl.cnf"];
        openssl(directory, &[&key[..], &["-keyout", "key.pem", "-out", "certificate.pem"]].concat())?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let here = directory.to_owned();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                // A request that is none gets no answer, and the test says so.
                let _ = answer(&here, &mut stream).await;
            }
        });
        Ok(Self { url, certificate: directory.join("certificate.pem") })
    }
}

async fn answer(directory: &Path, stream: &mut TcpStream) -> Result<()> {
    let question = body(stream).await?;
    fs::write(directory.join("query.tsq"), question)?;
    openssl(
        directory,
        &["ts", "-reply", "-config", "openssl.cnf", "-section", "one", "-queryfile", "query.tsq", "-out", "reply.tsr"],
    )?;
    let reply = fs::read(directory.join("reply.tsr"))?;
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/timestamp-reply\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        reply.len()
    );
    stream.write_all(&[head.as_bytes(), &reply].concat()).await?;
    Ok(())
}

async fn body(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await?;
        ensure!(read > 0, "the request ended early");
        bytes.extend_from_slice(&chunk[..read]);
        let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
        ensure!(text.contains("application/timestamp-query"), "{text}");
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).context("no length")?;
        let length: usize = length.trim().parse()?;
        if bytes.len() >= head + 4 + length {
            return Ok(bytes.split_off(head + 4));
        }
    }
}

fn openssl(directory: &Path, args: &[&str]) -> Result<()> {
    let output = Command::new("openssl").args(args).current_dir(directory).output()?;
    ensure!(output.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
