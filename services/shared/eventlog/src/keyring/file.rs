//! Tenants' keys as files of one directory, each readable by its owner only. For development and single machines: who can
//! read the directory, or a copy of it, can read every payload.
//!
//! `<tenant>.key` holds a key, `<tenant>.destroyed` says that it is gone. A file appears whole or not at all: it is written
//! beside its place, brought to the disk, and linked there, which succeeds for one of any number of writers. The notice is
//! there before the key goes, and it wins over a key beside it.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use aws_lc_rs::{hkdf, hmac, rand};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use muster_domain::TenantId;
use muster_tlog::hash::Hash;
use secrecy::{ExposeSecret, SecretBox};
use uuid::Uuid;

use super::{DataKey, Destruction, KeyId, Keyring, KeyringError, Salt, TenantKey};

const KEY_FORMAT: &str = "muster-payload-key/v1";
const DESTROYED_FORMAT: &str = "muster-payload-key-destroyed/v1";
const KEY_BYTES: usize = 32;
/// Another program's file in the directory is not read into memory.
const MAX_FILE_BYTES: u64 = 4096;

/// A directory of keys. All processes of an installation share it.
pub struct FileKeyring {
    directory: PathBuf,
    /// Keys that were read. Which of them are destroyed is looked up each time.
    known: Mutex<BTreeMap<TenantId, Arc<Key>>>,
}

struct Key {
    id: KeyId,
    secret: SecretBox<[u8; KEY_BYTES]>,
}

impl FileKeyring {
    /// Makes the directory if it is missing, and refuses one that others can look into.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, KeyringError> {
        let directory = directory.into();
        let failed = |why: String| unavailable("opening", &directory, why);
        if !directory.exists() {
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory);
            made.map_err(|error| failed(error.to_string()))?;
        }
        let mode = fs::metadata(&directory).map_err(|error| failed(error.to_string()))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(failed(format!("others may look into it (mode {:o}); chmod 700", mode & 0o777)));
        }
        Ok(Self { directory, known: Mutex::default() })
    }

    fn key_path(&self, tenant: &TenantId) -> PathBuf {
        self.directory.join(format!("{tenant}.key"))
    }

    fn destroyed_path(&self, tenant: &TenantId) -> PathBuf {
        self.directory.join(format!("{tenant}.destroyed"))
    }

    fn destruction(&self, tenant: &TenantId) -> Result<Option<Destruction>, KeyringError> {
        let path = self.destroyed_path(tenant);
        let Some(text) = read(&path)? else { return Ok(None) };
        let key_id = id_in(&text, DESTROYED_FORMAT).ok_or_else(|| unavailable("reading", &path, "not a notice"))?;
        Ok(Some(Destruction { key_id, receipt: format!("file keyring: sha256:{}", Hash::of(text.as_bytes())) }))
    }

    /// The tenant's key, if there is one and it is not destroyed.
    fn key(&self, tenant: &TenantId) -> Result<Option<Arc<Key>>, KeyringError> {
        let notice = self.destroyed_path(tenant);
        if notice.try_exists().map_err(|error| unavailable("reading", &notice, error.to_string()))? {
            self.known().remove(tenant);
            return Ok(None);
        }
        if let Some(key) = self.known().get(tenant) {
            return Ok(Some(key.clone()));
        }
        let path = self.key_path(tenant);
        let Some(text) = read(&path)? else { return Ok(None) };
        let key = Arc::new(parse_key(&text).ok_or_else(|| unavailable("reading", &path, "not a payload key"))?);
        self.known().insert(tenant.clone(), key.clone());
        Ok(Some(key))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<TenantId, Arc<Key>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self, tenant: &TenantId) -> Result<TenantKey, KeyringError> {
        if let Some(key) = self.key(tenant)? {
            return Ok(TenantKey::Present(key.id));
        }
        Ok(self.destruction(tenant)?.map_or(TenantKey::None, TenantKey::Destroyed))
    }

    fn expect(&self, tenant: &TenantId, wanted: KeyId) -> Result<Arc<Key>, KeyringError> {
        match self.key(tenant)? {
            Some(key) if key.id == wanted => Ok(key),
            Some(_) => Err(KeyringError::Unknown { tenant: tenant.clone(), key_id: wanted }),
            None => match self.destruction(tenant)? {
                Some(gone) if gone.key_id == wanted => {
                    Err(KeyringError::Destroyed { tenant: tenant.clone(), key_id: wanted })
                }
                _ => Err(KeyringError::Unknown { tenant: tenant.clone(), key_id: wanted }),
            },
        }
    }

    /// The file whole in its place, unless somebody else's is there.
    fn publish(&self, path: &Path, text: &str) -> Result<(), KeyringError> {
        let mut name = [0; 8];
        fill(&mut name).map_err(|why| unavailable("writing", path, why))?;
        let draft = self.directory.join(format!(".{:x}.new", u64::from_be_bytes(name)));
        let written = (|| {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            match fs::hard_link(&draft, path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                done => done,
            }
        })();
        // A crash before this leaves a draft behind that nobody reads; the key in it is nobody's.
        let removed = fs::remove_file(&draft);
        written.and(removed).and_then(|()| self.sync()).map_err(|error| unavailable("writing", path, error.to_string()))
    }

    /// What a directory lists is on the disk when the directory is.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }
}

#[async_trait]
impl Keyring for FileKeyring {
    fn name(&self) -> &'static str {
        "file"
    }

    async fn find(&self, tenant: &TenantId) -> Result<TenantKey, KeyringError> {
        self.state(tenant)
    }

    async fn create(&self, tenant: &TenantId) -> Result<TenantKey, KeyringError> {
        if let found @ (TenantKey::Present(_) | TenantKey::Destroyed(_)) = self.state(tenant)? {
            return Ok(found);
        }
        let path = self.key_path(tenant);
        let text = new_key().map_err(|why| unavailable("creating", &path, why))?;
        self.publish(&path, text.expose_secret())?;
        let made = self.state(tenant)?;
        if let TenantKey::Destroyed(_) = made {
            // Another process made one and destroyed it meanwhile: ours is nobody's.
            self.erase(tenant)?;
        }
        Ok(made)
    }

    async fn derive(&self, tenant: &TenantId, key: KeyId, salts: &[Salt]) -> Result<Vec<DataKey>, KeyringError> {
        let key = self.expect(tenant, key)?;
        salts.iter().map(|salt| data_key(&key, tenant, salt)).collect()
    }

    async fn destroy(&self, tenant: &TenantId, wanted: KeyId) -> Result<Destruction, KeyringError> {
        if let Some(gone) = self.destruction(tenant)? {
            if self.key_path(tenant).exists() {
                tracing::error!(%tenant, key = %gone.key_id, "a destroyed payload key was put back into the keyring; it is destroyed again");
            }
            self.erase(tenant)?;
            return if gone.key_id == wanted {
                Ok(gone)
            } else {
                Err(KeyringError::Unknown { tenant: tenant.clone(), key_id: wanted })
            };
        }
        let key = self.expect(tenant, wanted)?;
        self.publish(&self.destroyed_path(tenant), &notice(tenant, &key))?;
        self.erase(tenant)?;
        self.destruction(tenant)?.ok_or_else(|| {
            unavailable("destroying", &self.destroyed_path(tenant), "the notice that was just written is not there")
        })
    }
}

impl FileKeyring {
    /// Overwrites the key before it goes, which helps on file systems that write in place; others need their free blocks
    /// wiped, as docs/payload-encryption.md says.
    fn erase(&self, tenant: &TenantId) -> Result<(), KeyringError> {
        self.known().remove(tenant);
        let path = self.key_path(tenant);
        let failed = |error: io::Error| unavailable("destroying", &path, error.to_string());
        let mut file = match OpenOptions::new().write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        let length = usize::try_from(file.metadata().map_err(failed)?.len().min(MAX_FILE_BYTES)).unwrap_or(0);
        file.write_all(&vec![0; length]).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::remove_file(&path).and_then(|()| self.sync()).map_err(failed)
    }
}

impl std::fmt::Debug for FileKeyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileKeyring").field("directory", &self.directory).finish_non_exhaustive()
    }
}

fn new_key() -> Result<secrecy::SecretString, String> {
    let (mut id, mut secret) = ([0; 16], [0; KEY_BYTES]);
    fill(&mut id)?;
    fill(&mut secret)?;
    let id = uuid::Builder::from_random_bytes(id).into_uuid();
    Ok(format!("{KEY_FORMAT}\nid {id}\nkey {}\n", BASE64.encode(secret)).into())
}

fn fill(bytes: &mut [u8]) -> Result<(), String> {
    rand::fill(bytes).map_err(|_| "the random number generator failed".to_owned())
}

fn parse_key(text: &str) -> Option<Key> {
    let id = id_in(text, KEY_FORMAT)?;
    let secret = BASE64.decode(text.lines().nth(2)?.strip_prefix("key ")?).ok()?;
    Some(Key { id, secret: SecretBox::new(Box::new(secret.try_into().ok()?)) })
}

fn id_in(text: &str, format: &str) -> Option<KeyId> {
    let mut lines = text.lines();
    if lines.next()? != format {
        return None;
    }
    lines.next()?.strip_prefix("id ")?.parse::<Uuid>().ok().map(KeyId)
}

/// The check value tells a copy of this key from any other, should one turn up, and says nothing about the key.
fn notice(tenant: &TenantId, key: &Key) -> String {
    let check = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.secret.expose_secret()), b"muster-key-check/v1");
    let check = Hash::from_slice(check.as_ref()).map(|hash| hash.to_hex()).unwrap_or_default();
    format!("{DESTROYED_FORMAT}\nid {}\ntenant {tenant}\ncheck {check}\n", key.id)
}

/// HKDF-SHA256 (RFC 5869): the event's salt as salt, the tenant's key as keying material.
fn data_key(key: &Key, tenant: &TenantId, salt: &Salt) -> Result<DataKey, KeyringError> {
    let purpose = format!("muster-data-key/v1\n{tenant}\n{}", key.id);
    let mut bytes = [0; 32];
    let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(key.secret.expose_secret());
    let filled = derived.expand(&[purpose.as_bytes()], hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut bytes));
    filled.map_err(|_| KeyringError::Unavailable {
        doing: "deriving from",
        what: key.id.to_string(),
        why: "HKDF failed".to_owned(),
    })?;
    Ok(DataKey::new(bytes))
}

/// `None`: there is no such file.
fn read(path: &Path) -> Result<Option<String>, KeyringError> {
    let length = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unavailable("reading", path, error.to_string())),
    };
    if length > MAX_FILE_BYTES {
        return Err(unavailable("reading", path, format!("{length} bytes, a key has fewer")));
    }
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        // Destroyed between the two looks.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unavailable("reading", path, error.to_string())),
    }
}

fn unavailable(doing: &'static str, path: &Path, why: impl Into<String>) -> KeyringError {
    KeyringError::Unavailable { doing, what: path.display().to_string(), why: why.into() }
}
