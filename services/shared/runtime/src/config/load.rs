//! Reads the layers and turns what figment found wrong into our errors.

use std::path::{Path, PathBuf};

use figment::{
    Figment,
    error::Kind,
    providers::{Env, Format, Serialized, Toml},
};

use super::{Config, ConfigError, ConfigErrors};

/// Looked for in the current directory when no file is named.
const DEFAULT_FILE: &str = "muster.toml";
const FILE_VARIABLE: &str = "MUSTER_CONFIG";
const PREFIX: &str = "MUSTER_";

/// The values under the file and the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    #[default]
    Production,
    /// `muster up`: everything on this machine, people without passwords.
    Local,
}

impl Config {
    /// Defaults, then the file (argument, else `MUSTER_CONFIG`, else `muster.toml` if it exists), then the environment.
    pub fn load(file: Option<&Path>, profile: Profile) -> Result<Self, ConfigErrors> {
        let config = Self::read(file, profile)?;
        config.validate()?;
        Ok(config)
    }

    /// The same without the check of the whole: for who adds settings of their own, and checks then.
    pub fn read(file: Option<&Path>, profile: Profile) -> Result<Self, ConfigErrors> {
        let defaults = match profile {
            Profile::Production => Self::default(),
            Profile::Local => Self::local(),
        };
        let mut figment = Figment::from(Serialized::defaults(defaults));
        if let Some(path) = find(file)? {
            figment = figment.merge(Toml::file_exact(path));
        }
        figment.merge(environment()).extract().map_err(explain)
    }
}

/// `MUSTER_<SECTION>__<KEY>`. Variables without `__` are not configuration: Kubernetes injects
/// `MUSTER_SERVICE_HOST` and the like for a service named "muster".
fn environment() -> Env {
    Env::prefixed(PREFIX)
        .filter(|key| {
            let key = key.as_str();
            key.contains("__") && !key.to_ascii_uppercase().starts_with("SECRET_")
        })
        .split("__")
}

#[expect(clippy::disallowed_methods, reason = "the one setting that says where the settings are")]
fn find(argument: Option<&Path>) -> Result<Option<PathBuf>, ConfigErrors> {
    let (path, named_by) = match (argument, std::env::var_os(FILE_VARIABLE)) {
        (Some(path), _) => (path.to_owned(), "--config"),
        (None, Some(path)) => (PathBuf::from(path), FILE_VARIABLE),
        (None, None) => {
            let path = PathBuf::from(DEFAULT_FILE);
            return Ok(path.is_file().then_some(path));
        }
    };
    if path.is_file() {
        return Ok(Some(path));
    }
    Err(ConfigErrors(vec![ConfigError {
        key: named_by.to_owned(),
        value: path.display().to_string(),
        source: named_by.to_owned(),
        allowed: "a file that exists and can be read".to_owned(),
        next_action: "correct the path, or leave it out to use the defaults and the environment".to_owned(),
    }]))
}

fn explain(error: figment::Error) -> ConfigErrors {
    ConfigErrors(error.into_iter().map(explain_one).collect())
}

fn explain_one(error: figment::Error) -> ConfigError {
    let mut path = error.path.clone();
    let (value, allowed) = match &error.kind {
        Kind::UnknownField(name, expected) => {
            // figment names the parent only in some cases: the field is the last part of the key.
            if path.last() != Some(name) {
                path.push(name.clone());
            }
            ("an unknown key".to_owned(), one_of(expected))
        }
        Kind::UnknownVariant(name, expected) => (format!("'{name}'"), one_of(expected)),
        Kind::InvalidType(actual, expected) | Kind::InvalidValue(actual, expected) => {
            (actual.to_string(), expected.clone())
        }
        Kind::InvalidLength(length, expected) => (format!("{length} items"), expected.clone()),
        Kind::MissingField(name) => {
            path.push(name.to_string());
            ("nothing".to_owned(), "a value".to_owned())
        }
        other => (other.to_string(), "a value of the kind that docs/config.md names".to_owned()),
    };
    let key = path.join(".");
    let source = source_of(error.metadata.as_ref(), &key);
    ConfigError {
        next_action: format!("correct or remove it in {source}; docs/config.md lists every key"),
        key: if key.is_empty() { "the file".to_owned() } else { key },
        value,
        source,
        allowed,
    }
}

fn one_of(expected: &[&str]) -> String {
    if expected.is_empty() { "no keys here".to_owned() } else { format!("one of {}", expected.join(", ")) }
}

fn source_of(metadata: Option<&figment::Metadata>, key: &str) -> String {
    match metadata {
        Some(metadata) => match &metadata.source {
            Some(figment::Source::File(path)) => path.display().to_string(),
            // The environment carries no source of its own: name the variable.
            _ if metadata.name.contains("environment") => {
                format!("environment variable {PREFIX}{}", key.to_ascii_uppercase().replace('.', "__"))
            }
            _ => "the defaults".to_owned(),
        },
        None => "the configuration file or the environment".to_owned(),
    }
}
