//! A TCP proxy that can lose the server's answers: the caller never learns what became of its request.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
};

pub(crate) struct Proxy {
    pub(crate) url: String,
    /// While set, what the server says is swallowed, and the connection is cut at its next word.
    losing: Arc<AtomicBool>,
}

impl Proxy {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());
        let losing = Arc::new(AtomicBool::new(false));
        let flag = losing.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                tokio::spawn(pass(client, server, flag.clone()));
            }
        });
        Self { url, losing }
    }

    /// The next answer is lost, and the connection with it.
    pub(crate) fn lose_the_next_answer(&self) {
        self.losing.store(true, Ordering::SeqCst);
    }

    pub(crate) fn has_lost_it(&self) -> bool {
        !self.losing.load(Ordering::SeqCst)
    }
}

async fn pass(client: TcpStream, server: TcpStream, losing: Arc<AtomicBool>) {
    let (mut client_read, mut client_write) = client.into_split();
    let (mut server_read, mut server_write) = server.into_split();
    let forward = async { copy(&mut client_read, &mut server_write).await.map(|_| ()) };
    let back = async {
        let mut buffer = vec![0; 65536];
        loop {
            let read = server_read.read(&mut buffer).await?;
            // An answer carries JSON; pings and acknowledgements of subscriptions may pass.
            let is_answer = buffer[..read].windows(8).any(|part| part == b"\"stream\"");
            if read == 0 || (is_answer && losing.swap(false, Ordering::SeqCst)) {
                return Ok::<(), std::io::Error>(());
            }
            client_write.write_all(&buffer[..read]).await?;
        }
    };
    tokio::select! { _ = forward => {}, _ = back => {} }
}
