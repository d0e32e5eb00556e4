//! Mail, at aiosmtpd: a third party's server, with TLS and a login.

use std::time::Duration;

use muster_domain::delivery::Message;
use muster_notifier::channels::email::{Email, Relay};
use muster_notifier::channels::{Attempt, Channel};
use muster_runtime::SecretResolver;
use muster_runtime::config::{Secrets, SmtpTls};

use crate::fixture::{Fixture, Repeat, Trouble};
use crate::smtp_server::{Login, ServerTls, SmtpServer, header};
use crate::support::{for_delivery, mail_to};

const USER: &str = "muster";
const PASSWORD: &str = "correct-horse-battery-staple";
const WRONG: &str = "another-password-that-is-wrong";

pub(crate) struct Mail {
    server: SmtpServer,
    dir: tempfile::TempDir,
    channel: Email,
}

impl Mail {
    fn password_file(&self) -> std::path::PathBuf {
        self.dir.path().join("_system/smtp")
    }
}

impl Fixture for Mail {
    const CHANNEL: &'static str = "email";
    /// A copy carries the same Message-ID.
    const REPEAT: Repeat = Repeat::Recognised;
    const HTTP: bool = false;
    const SAYS_RETRY_AFTER: bool = false;
    const TURNS: Option<usize> = None;

    async fn start() -> Option<Self> {
        let login = Login { user: USER, password: PASSWORD };
        let server = SmtpServer::with_login(ServerTls::Starttls, login)?;
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("_system")).unwrap();
        std::fs::write(dir.path().join("_system/smtp"), PASSWORD).unwrap();
        let relay = Relay {
            host: "localhost".into(),
            port: server.port,
            tls: SmtpTls::Starttls,
            user: Some(USER.into()),
            password_ref: Some("file:smtp".into()),
            from: "Muster <muster@relay.example>".parse().unwrap(),
            extra_ca_pem: Some(server.ca_pem.clone()),
            interval: Duration::ZERO,
        };
        let secrets = SecretResolver::new(&Secrets { directory: Some(dir.path().to_owned()) });
        Some(Self { server, dir, channel: Email::new(Some(relay), secrets).unwrap() })
    }

    fn channel(&self) -> &dyn Channel {
        &self.channel
    }

    fn strict_channel(&self) -> Box<dyn Channel> {
        Box::new(Email::new(None, SecretResolver::new(&Secrets { directory: None })).unwrap())
    }

    fn attempt(&mut self, message: Message, delivery: u128, trouble: Trouble) -> Attempt {
        let name = match trouble {
            Trouble::Nothing | Trouble::Redirected => "alice",
            Trouble::Throttled => "later",
            Trouble::SilentAfterEffect => "drop",
        };
        for_delivery(mail_to(&format!("{name}@example.com")), message, delivery)
    }

    fn arrived(&self) -> usize {
        let mails = self.server.mails();
        let ids: std::collections::BTreeSet<_> = mails.iter().map(|(_, mail)| header(mail, "Message-ID")).collect();
        ids.len()
    }

    fn texts(&self) -> String {
        self.server.texts()
    }

    fn calls(&self) -> usize {
        self.server.logins()
    }

    fn stored_secret(&self) -> String {
        std::fs::read_to_string(self.password_file()).unwrap()
    }

    fn store_wrong_secret(&mut self) {
        std::fs::write(self.password_file(), WRONG).unwrap();
    }

    fn store_right_secret_meanwhile(&mut self) {
        self.server.write_at_next_refusal(&self.password_file(), PASSWORD);
    }

    fn escaped_from_its_place(&self) -> Vec<String> {
        let mails = self.server.mails();
        let injected = mails.iter().filter(|(_, mail)| header(mail, "Bcc").is_some());
        let texts = self.server.texts();
        // The text part has it as it was typed; the HTML part has not.
        let script = texts.split("<html").skip(1).filter(|html| html.contains("<script")).map(str::to_owned);
        injected.map(|(_, mail)| mail.clone()).chain(script).collect()
    }
}
