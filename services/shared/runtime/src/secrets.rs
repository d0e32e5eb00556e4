//! Secret references, resolved at the moment of use: `file:NAME` and `env:NAME`, each within its owner's bounds.
//!
//! A tenant's documents name secrets, so a reference is hostile input: it must never reach another tenant's secret,
//! Muster's own, or any other file or variable. Errors name the reference and never the content.

use std::{fmt, io::Read, path::PathBuf};

use muster_domain::TenantId;
use secrecy::SecretString;

/// Keys and certificates fit; a wrong path to something large does not.
const MAX_SECRET_BYTES: u64 = 64 * 1024;
const MAX_REFERENCE: usize = 256;
/// No tenant can have this name: an underscore is not in its alphabet.
const SYSTEM: &str = "_system";

/// Whose secret it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner<'a> {
    Tenant(&'a TenantId),
    /// Muster's own: the passwords of NATS, PostgreSQL, the mail server.
    System,
}

impl Owner<'_> {
    fn directory(self) -> String {
        match self {
            Owner::Tenant(tenant) => tenant.to_string(),
            Owner::System => SYSTEM.to_owned(),
        }
    }

    /// "a-b" becomes `MUSTER_SECRET_A__B_`; what follows may not begin with '_', so that "a" cannot name it.
    fn variable_prefix(self) -> String {
        let owner = match self {
            Owner::Tenant(tenant) => tenant.as_str().to_ascii_uppercase().replace('-', "__"),
            Owner::System => "_SYSTEM".to_owned(),
        };
        format!("MUSTER_SECRET_{owner}_")
    }
}

#[derive(Debug, thiserror::Error)]
#[error("secret reference '{reference}' cannot be used: {problem}. Next: {next_action}")]
pub struct SecretError {
    pub reference: String,
    pub problem: String,
    pub next_action: String,
}

/// A cheap handle.
#[derive(Clone)]
pub struct SecretResolver {
    directory: Option<PathBuf>,
}

impl fmt::Debug for SecretResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretResolver").field("directory", &self.directory).finish()
    }
}

impl SecretResolver {
    pub fn new(config: &crate::config::Secrets) -> Self {
        Self { directory: config.directory.clone() }
    }

    /// Checks the form of a reference without reading anything, for documents that name one.
    pub fn check(&self, owner: Owner<'_>, reference: &str) -> Result<(), SecretError> {
        Reference::parse(owner, reference).map(|_| ())
    }

    /// Reads the secret now. Small blocking IO: a file of at most 64 KiB or a variable.
    pub fn resolve(&self, owner: Owner<'_>, reference: &str) -> Result<SecretString, SecretError> {
        match Reference::parse(owner, reference)? {
            Reference::File(name) => self.read_file(owner, reference, name),
            Reference::Variable(name) => read_variable(reference, name),
        }
    }

    /// For an optional reference of the configuration.
    pub fn resolve_system(&self, reference: Option<&str>) -> Result<Option<SecretString>, SecretError> {
        reference.map(|r| self.resolve(Owner::System, r)).transpose()
    }

    fn read_file(&self, owner: Owner<'_>, reference: &str, name: &str) -> Result<SecretString, SecretError> {
        let Some(directory) = &self.directory else {
            return Err(error(reference, "secrets.directory is not configured", "set secrets.directory or use env:"));
        };
        let root = directory.join(owner.directory());
        let unreadable = |e: std::io::Error| {
            error(
                reference,
                &format!("{} cannot be read: {}", root.join(name).display(), e.kind()),
                "create the file, readable for Muster only",
            )
        };
        // Mounted secrets are symbolic links inside their directory; a link that leaves it is refused.
        let real_root = root.canonicalize().map_err(unreadable)?;
        let path = real_root.join(name).canonicalize().map_err(unreadable)?;
        if !path.starts_with(&real_root) {
            return Err(error(reference, "it leads outside its owner's directory", "put the file itself there"));
        }
        let mut bytes = Vec::new();
        let file = std::fs::File::open(&path).map_err(unreadable)?;
        if !file.metadata().map_err(unreadable)?.is_file() {
            return Err(error(reference, "it is not a file", "name a file"));
        }
        file.take(MAX_SECRET_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MAX_SECRET_BYTES {
            return Err(error(reference, "the file is larger than 64 KiB", "name the file with the secret alone"));
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| error(reference, "the file is not UTF-8 text", "store the secret as text"))?;
        // Editors and `echo` end a file with a line feed that is not part of the secret.
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return Err(error(reference, "the file is empty", "write the secret into it"));
        }
        Ok(SecretString::from(text.to_owned()))
    }
}

#[expect(clippy::disallowed_methods, reason = "a secret is no setting; which variable it is, a reference says")]
fn read_variable(reference: &str, name: &str) -> Result<SecretString, SecretError> {
    std::env::var(name).map(SecretString::from).map_err(|_| {
        error(reference, "the variable is not set or not text", "set it in the environment of the process")
    })
}

enum Reference<'a> {
    File(&'a str),
    Variable(&'a str),
}

impl<'a> Reference<'a> {
    fn parse(owner: Owner<'_>, reference: &'a str) -> Result<Self, SecretError> {
        if reference.len() > MAX_REFERENCE {
            return Err(error(reference, "it is longer than 256 bytes", "shorten the name"));
        }
        match reference.split_once(':') {
            Some(("file", name)) if is_file_name(name) => Ok(Self::File(name)),
            Some(("file", _)) => Err(error(
                reference,
                "a file name has 1 to 128 letters, digits, '.', '_' and '-', does not begin with '.', and is no path",
                "name a file directly in the owner's directory",
            )),
            Some(("env", name)) => {
                let prefix = owner.variable_prefix();
                let rest = name.strip_prefix(prefix.as_str()).unwrap_or_default();
                let alphabet = rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
                if rest.is_empty() || rest.starts_with('_') || !alphabet {
                    let next = format!("name a variable {prefix}… in upper case");
                    return Err(error(reference, "the variable does not belong to this owner", &next));
                }
                Ok(Self::Variable(name))
            }
            _ => Err(error(reference, "its kind is not supported", "use file:NAME or env:NAME")),
        }
    }
}

fn is_file_name(name: &str) -> bool {
    let alphabet = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    alphabet && (1..=128).contains(&name.len()) && !name.starts_with('.')
}

fn error(reference: &str, problem: &str, next_action: &str) -> SecretError {
    SecretError {
        reference: reference.chars().take(MAX_REFERENCE).collect(),
        problem: problem.to_owned(),
        next_action: next_action.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use secrecy::ExposeSecret;

    use super::*;

    fn tenant(name: &str) -> TenantId {
        name.parse().unwrap()
    }

    fn store() -> (tempfile::TempDir, SecretResolver) {
        let dir = tempfile::tempdir().unwrap();
        for owner in ["acme", "globex", SYSTEM] {
            std::fs::create_dir(dir.path().join(owner)).unwrap();
            std::fs::write(dir.path().join(owner).join("db"), format!("of-{owner}\n")).unwrap();
        }
        let resolver = SecretResolver { directory: Some(dir.path().to_owned()) };
        (dir, resolver)
    }

    #[test]
    fn each_owner_reads_its_own() {
        let (_dir, resolver) = store();
        let (acme, globex) = (tenant("acme"), tenant("globex"));
        assert_eq!(resolver.resolve(Owner::Tenant(&acme), "file:db").unwrap().expose_secret(), "of-acme");
        assert_eq!(resolver.resolve(Owner::Tenant(&globex), "file:db").unwrap().expose_secret(), "of-globex");
        assert_eq!(resolver.resolve(Owner::System, "file:db").unwrap().expose_secret(), "of-_system");
    }

    #[test]
    fn a_reference_cannot_leave_its_owner() {
        let (dir, resolver) = store();
        std::os::unix::fs::symlink(dir.path().join("globex/db"), dir.path().join("acme/link")).unwrap();
        let acme = tenant("acme");
        for reference in [
            "file:../globex/db",
            "file:/etc/hostname",
            "file:..",
            "file:.",
            "file:",
            "file:a/b",
            "file:..%2fglobex%2fdb",
            "file:link",
            "env:PATH",
            "env:MUSTER_SECRET_GLOBEX_DB",
            "env:MUSTER_SECRET__SYSTEM_DB",
            "vault:db",
            "db",
            "",
        ] {
            let text = resolver.resolve(Owner::Tenant(&acme), reference).unwrap_err().to_string();
            assert!(!text.contains("of-"), "the error must not hold content: {text}");
        }
    }

    #[test]
    fn variables_of_similar_tenants_are_apart() {
        let (_dir, resolver) = store();
        let (short, long) = (tenant("a"), tenant("a-b"));
        assert!(resolver.check(Owner::Tenant(&long), "env:MUSTER_SECRET_A__B_DB").is_ok());
        assert!(resolver.check(Owner::Tenant(&short), "env:MUSTER_SECRET_A__B_DB").is_err());
        assert!(resolver.check(Owner::Tenant(&short), "env:MUSTER_SECRET_A_B_DB").is_ok());
        assert!(resolver.check(Owner::Tenant(&long), "env:MUSTER_SECRET_A_B_DB").is_err());
        assert!(resolver.check(Owner::System, "env:MUSTER_SECRET__SYSTEM_NATS").is_ok());
    }
}
