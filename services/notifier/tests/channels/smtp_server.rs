//! A real SMTP server: aiosmtpd with scripted answers.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How the server offers TLS.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum ServerTls {
    None,
    Starttls,
    Implicit,
}

/// What the server asks for before it takes anything.
#[derive(Clone, Copy)]
pub(crate) struct Login {
    pub(crate) user: &'static str,
    pub(crate) password: &'static str,
}

pub(crate) struct SmtpServer {
    process: Child,
    pub(crate) port: u16,
    pub(crate) ca_pem: Vec<u8>,
    dir: TempDir,
}

impl SmtpServer {
    /// `None` when aiosmtpd is not installed: the caller says loudly that it skips.
    pub(crate) fn start(tls: ServerTls) -> Option<Self> {
        Self::launch(tls, None)
    }

    /// One that asks for a login, and only under TLS.
    pub(crate) fn with_login(tls: ServerTls, login: Login) -> Option<Self> {
        Self::launch(tls, Some(login))
    }

    fn launch(tls: ServerTls, login: Option<Login>) -> Option<Self> {
        let (python, modules) = python()?;
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = certificate(dir.path());
        let port = muster_local::free_port().unwrap();
        let fakes = root().join("testing/fakes/smtp");
        let python_path = std::env::join_paths(std::iter::once(fakes.clone()).chain(modules)).unwrap();
        let mut command = Command::new(python);
        if let Some(login) = login {
            let how = if tls == ServerTls::Implicit { "implicit" } else { "starttls" };
            command.arg(fakes.join("with_login.py")).args([&port.to_string(), how]).arg(&cert).arg(&key);
            command.args([login.user, login.password]);
        } else {
            command.args(["-m", "aiosmtpd", "-n", "-l", &format!("127.0.0.1:{port}"), "-c", "scripted.Handler"]);
            match tls {
                ServerTls::None => {}
                ServerTls::Starttls => drop(command.arg("--tlscert").arg(&cert).arg("--tlskey").arg(&key)),
                ServerTls::Implicit => drop(command.arg("--smtpscert").arg(&cert).arg("--smtpskey").arg(&key)),
            }
        }
        let mail = dir.path().join("mail");
        std::fs::create_dir(&mail).unwrap();
        let process = command
            .arg(&mail)
            .env("PYTHONPATH", python_path)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { process, port, ca_pem: std::fs::read(&cert).unwrap(), dir };
        server.wait_ready();
        Some(server)
    }

    fn wait_ready(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "aiosmtpd did not start");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// (file name, content) of everything that arrived whole, in order.
    pub(crate) fn mails(&self) -> Vec<(String, String)> {
        self.files("eml")
    }

    /// What people read: subjects and texts, decoded.
    pub(crate) fn texts(&self) -> String {
        self.files("txt").into_iter().map(|(_, text)| text).collect()
    }

    fn files(&self, extension: &str) -> Vec<(String, String)> {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(self.dir.path().join("mail")).unwrap().map(|e| e.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|e| e == extension));
        files.sort();
        let content = |path: &PathBuf| {
            (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap())
        };
        files.iter().map(content).collect()
    }

    /// Logins that were tried.
    pub(crate) fn logins(&self) -> usize {
        std::fs::read_to_string(self.dir.path().join("mail/logins")).map_or(0, |tried| tried.lines().count())
    }

    /// Before it refuses the next password, the server writes this into that file.
    pub(crate) fn write_at_next_refusal(&self, file: &Path, text: &str) {
        let whole = self.dir.path().join("mail/at-refusal.part");
        std::fs::write(&whole, format!("{}\n{text}", file.display())).unwrap();
        std::fs::rename(whole, self.dir.path().join("mail/at-refusal")).unwrap();
    }

    /// Those whose file name holds this.
    pub(crate) fn mails_like(&self, part: &str) -> Vec<String> {
        self.mails().into_iter().filter(|(name, _)| name.contains(part)).map(|(_, mail)| mail).collect()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The value of a header, unfolded.
pub(crate) fn header(mail: &str, name: &str) -> Option<String> {
    let head = mail.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ");
    head.split("\r\n").find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned))
}

/// An interpreter with aiosmtpd, and where its modules are: as named, or as `scripts/setup` fetched them.
fn python() -> Option<(PathBuf, Option<PathBuf>)> {
    if let Some(named) = std::env::var_os("MUSTER_AIOSMTPD_PYTHON") {
        return Some((named.into(), None));
    }
    let modules = muster_local::tools::state_base(&root()).ok()?.join("tools/python");
    if modules.join("aiosmtpd").is_dir() {
        return Some(("python3".into(), Some(modules)));
    }
    let why = format!(
        "skipped: aiosmtpd is not in {}. Next: run scripts/setup, or set MUSTER_AIOSMTPD_PYTHON",
        modules.display()
    );
    println!("{why}");
    eprintln!("{why}");
    None
}

fn root() -> PathBuf {
    muster_local::tools::project_root().unwrap()
}

fn certificate(dir: &Path) -> (PathBuf, PathBuf) {
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args(["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
    (cert, key)
}
