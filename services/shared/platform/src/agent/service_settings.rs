//! What a MariaDB or Redis server will read at its next start, from its configuration files: whether a fence holds is
//! decided there, and a later line beats an earlier one.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{AgentError, Service, files};

/// Files that include files that include files: more is a mistake, or a circle.
const MAX_DEPTH: usize = 8;
/// A configuration has some hundred.
const MAX_SETTINGS: usize = 10_000;

/// One line that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub name: String,
    pub value: String,
    pub file: PathBuf,
}

/// A file with another content than it has: what would be, if it were written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Supposed<'a> {
    pub file: &'a Path,
    pub content: &'a str,
}

/// Every setting of the file and of what it includes, in the order of reading.
pub(super) fn read(
    service: Service,
    config_file: &Path,
    supposed: Option<Supposed<'_>>,
) -> Result<Vec<Setting>, AgentError> {
    let mut reader = Reader { service, supposed, settings: Vec::new() };
    reader.file(config_file, 0)?;
    Ok(reader.settings)
}

struct Reader<'a> {
    service: Service,
    supposed: Option<Supposed<'a>>,
    settings: Vec<Setting>,
}

impl Reader<'_> {
    fn file(&mut self, file: &Path, depth: usize) -> Result<(), AgentError> {
        let unreadable = |why: &str| AgentError::Unreadable { what: file.display().to_string(), why: why.to_owned() };
        if depth > MAX_DEPTH {
            return Err(unreadable("included too deeply, or in a circle"));
        }
        let content = match self.supposed.filter(|supposed| supposed.file == file) {
            Some(supposed) => supposed.content.to_owned(),
            None => match files::read(file)? {
                Some(content) => content,
                None if depth == 0 => return Err(unreadable("there is no such file")),
                // MariaDB takes no offence; Redis does not start, which `LocalService::start` prevents for the fence.
                None => String::new(),
            },
        };
        // Settings before the first group of an option file belong to nobody.
        let mut counts = self.service == Service::Redis;
        for line in content.lines().map(str::trim) {
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if self.service == Service::Mariadb && line.starts_with('[') {
                counts = is_server_group(line.trim_matches(['[', ']']));
                continue;
            }
            for included in included(self.service, line)? {
                self.file(&included, depth + 1)?;
            }
            if counts && let Some((name, value)) = setting(self.service, line) {
                self.settings.push(Setting { name, value, file: file.to_owned() });
            }
            if self.settings.len() > MAX_SETTINGS {
                return Err(unreadable("more settings than a configuration has"));
            }
        }
        Ok(())
    }
}

fn included(service: Service, line: &str) -> Result<Vec<PathBuf>, AgentError> {
    let plain = |text: &str| {
        let path = unquoted(text.trim());
        if path.starts_with('/') && !path.contains(['*', '?', '[']) {
            return Ok(PathBuf::from(path));
        }
        let text = format!("'{line}': only an absolute path can be followed, without * or ?; write it so");
        Err(AgentError::Configuration(text))
    };
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match (service, word.to_ascii_lowercase().as_str()) {
        (Service::Redis, "include") | (Service::Mariadb, "!include") => Ok(vec![plain(rest)?]),
        (Service::Mariadb, "!includedir") => cnf_files(&plain(rest)?),
        _ => Ok(Vec::new()),
    }
}

fn setting(service: Service, line: &str) -> Option<(String, String)> {
    match service {
        Service::Mariadb if line.starts_with('!') => None,
        Service::Mariadb => {
            let line = line.split(" #").next().unwrap_or(line);
            let (name, value) = line.split_once('=').unwrap_or((line, "1"));
            Some((name.trim().to_ascii_lowercase().replace('-', "_"), unquoted(value.trim())))
        }
        Service::Redis => {
            let (name, value) = line.split_once(char::is_whitespace)?;
            let value = value.split_whitespace().map(unquoted).collect::<Vec<_>>().join(" ");
            Some((name.to_ascii_lowercase(), value))
        }
    }
}

/// What MariaDB's server reads: its own groups, with or without a version behind.
fn is_server_group(name: &str) -> bool {
    let versioned =
        |prefix: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    ["mysqld", "mariadbd", "mariadb", "server", "galera"].contains(&name)
        || ["mysqld-", "mariadbd-", "mariadb-"].into_iter().any(versioned)
}

fn cnf_files(directory: &Path) -> Result<Vec<PathBuf>, AgentError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(files::error(directory, &e)),
    };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cnf"))
        .collect();
    found.sort();
    Ok(found)
}

fn unquoted(text: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner.replace("\\\"", "\"").replace("\\\\", "\\");
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    struct Files(tempfile::TempDir);

    impl Files {
        fn new(files: &[(&str, &str)]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            for (name, content) in files {
                fs::write(dir.path().join(name), content.replace("DIR", &dir.path().display().to_string())).unwrap();
            }
            Self(dir)
        }

        fn writes(&self, service: Service) -> Option<String> {
            service.accepts_writes(&read(service, &self.0.path().join("main"), None).unwrap())
        }
    }

    #[test]
    fn a_fence_of_redis_holds_unless_a_later_line_takes_it_back() {
        let fence = ("fence", Service::Redis.fence());
        let holds = |main: &str| Files::new(&[("main", main), fence]).writes(Service::Redis).is_none();
        assert!(holds("include DIR/fence\nport 6379\n"));
        assert!(holds("port 6379\nINCLUDE \"DIR/fence\"\n"));
        assert!(holds("include DIR/fence\nreplicaof 10.0.0.9 6379\n"), "a replica of somebody else is no primary");
        assert!(!holds("port 6379\n"));
        assert!(!holds("include DIR/fence\nreplicaof no one\n"));
        assert!(!holds("include DIR/fence\nslave-read-only no\n"));
        assert!(!holds("# include DIR/fence\n"));
    }

    #[test]
    fn a_fence_of_mariadb_holds_unless_a_later_line_takes_it_back() {
        let fence = ("fence.cnf", Service::Mariadb.fence());
        let holds = |main: &str| Files::new(&[("main", main), fence]).writes(Service::Mariadb).is_none();
        assert!(holds("[mysqld]\nread-only = 0\n!include DIR/fence.cnf\n"));
        assert!(holds("!includedir DIR\n[client]\nread_only=0\n"));
        assert!(holds("[mysqld]\nread_only = ON # a standby\n"));
        assert!(!holds("!include DIR/fence.cnf\n[mariadb-10.11]\nread_only=OFF\n"));
        assert!(!holds("!include DIR/fence.cnf\n[server]\nskip-read-only\n"));
        assert!(!holds("[mysqld]\nport=3306\n"));
    }

    #[test]
    fn an_empty_fence_is_none_and_what_cannot_be_followed_is_an_error() {
        let files = Files::new(&[("main", "include DIR/fence\n"), ("fence", Service::Redis.no_fence())]);
        assert!(files.writes(Service::Redis).is_some());
        let error = |main: &str| {
            let files = Files::new(&[("main", main)]);
            read(Service::Redis, &files.0.path().join("main"), None).unwrap_err().to_string()
        };
        assert!(error("include /etc/redis/*.conf\n").contains("absolute path"));
        assert!(error("include DIR/main\n").contains("circle"));
    }
}
