//! One event with its place in the log, and how a document points at it.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use jiff::Timestamp;
use muster_domain::{
    pb::{
        audit::v1::AuditRecord,
        common::v1::{Actor, ActorKind},
    },
    time::{PbTimestamp, from_pb},
};

use super::{
    VERSION, ids,
    model::*,
    text::{self, code},
};

/// The place of the product's own files, seen from a document: documents stand in `oscal/`.
const PACKAGE: &str = "..";

/// One event of the record, and its leaf.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Logged {
    pub(crate) record: AuditRecord,
    /// In hex.
    pub(crate) leaf_hash: String,
}

impl Logged {
    /// When the log stored it: the time that its leaf proves.
    pub(crate) fn at(&self) -> Timestamp {
        from_pb(self.record.stored_at.as_ref()).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    pub(crate) fn time(&self) -> String {
        time(self.at())
    }

    pub(crate) fn id(&self) -> &str {
        &self.record.event_id
    }

    /// What a person or the product decided, measured or found gets a proof of its own in the package; the single steps
    /// in between are proven by the whole range.
    pub(crate) fn is_citable(&self) -> bool {
        let kind = self.record.r#type.as_str();
        let of_people = ["request.", "drill.", "gap.", "audit.", "plan."].iter().any(|start| kind.starts_with(start));
        let between = kind.starts_with("execution.step_") || kind.ends_with("heartbeat") || kind.ends_with("anchored");
        (of_people || kind.starts_with("execution.")) && !between
    }
}

/// As OSCAL writes times: with a zone, to the microsecond.
pub(crate) fn time(at: Timestamp) -> String {
    format!("{at:.6}")
}

pub(crate) fn pb_time(at: Option<&PbTimestamp>) -> Option<String> {
    from_pb(at).map(time)
}

/// A file of the package that documents point at.
#[derive(Debug, Clone)]
pub(crate) struct PackageFile {
    /// "checkpoint"
    pub(crate) path: String,
    pub(crate) title: String,
    pub(crate) media_type: &'static str,
    /// OSCAL's type of a resource: "evidence", "artifact", "raw-data".
    pub(crate) kind: &'static str,
    pub(crate) sha256: String,
    /// The file itself, where it is small.
    pub(crate) content: Option<Vec<u8>>,
}

impl PackageFile {
    /// One that rides in the document.
    pub(crate) fn whole(path: String, title: String, kind: &'static str, content: Vec<u8>) -> Self {
        let sha256 = muster_tlog::Hash::of(&content).to_hex();
        Self { path, title, media_type: "text/plain", kind, sha256, content: Some(content) }
    }

    fn resource(&self, uuid: String) -> Resource {
        let filename = self.path.rsplit('/').next().unwrap_or(&self.path).to_owned();
        Resource {
            uuid,
            title: self.title.clone(),
            description: None,
            props: vec![Prop::oscal("type", self.kind)],
            citation: None,
            rlinks: vec![ResourceLink {
                href: format!("{PACKAGE}/{}", self.path),
                media_type: self.media_type,
                hashes: vec![FileHash { algorithm: "SHA-256", value: self.sha256.clone() }],
            }],
            base64: self.content.as_ref().map(|content| Base64 {
                filename,
                media_type: self.media_type,
                value: BASE64.encode(content),
            }),
        }
    }
}

/// What all documents of a package have in common.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    /// The tenant as people call it.
    pub(crate) organization: String,
    /// The tenant's opaque id out of the origin: what lasts is named after it.
    pub(crate) tenant: String,
    pub(crate) origin: String,
    /// The logical name of the stream in the leaves.
    pub(crate) stream: String,
    pub(crate) size: u64,
    /// In hex.
    pub(crate) root: String,
    /// The checkpoint, the policy, the events.
    pub(crate) files: Vec<PackageFile>,
}

impl Scope {
    /// What an event shows: `("observation", origin, event id)`.
    pub(crate) fn of_event(&self, element: &str, event_id: &str) -> String {
        ids::derived(&[element, &self.origin, event_id])
    }

    /// What lasts: `("component", tenant, name)`.
    pub(crate) fn of_subject(&self, element: &str, subject: &str) -> String {
        ids::derived(&[element, &self.tenant, subject])
    }

    pub(crate) fn component(&self, resource: &str) -> String {
        self.of_subject("component", resource)
    }

    /// The version of results: which tree they were read from.
    pub(crate) fn version(&self) -> String {
        format!("{}-{}", self.size, self.root.get(..12).unwrap_or(&self.root))
    }

    pub(crate) fn metadata(&self, title: String, version: String, newest: Timestamp, people: &People) -> Metadata {
        let organization = Party {
            uuid: self.of_subject("party", "organization"),
            r#type: "organization",
            name: text::value(&self.organization).unwrap_or_else(|| self.tenant.clone()),
            props: Vec::new(),
            member_of_organizations: Vec::new(),
        };
        let mut responsible =
            vec![ResponsibleParty { role_id: "prepared-by", party_uuids: vec![organization.uuid.clone()] }];
        for (role_id, uuids) in [("assessor", &people.assessors), ("content-approver", &people.approvers)] {
            if !uuids.is_empty() {
                responsible.push(ResponsibleParty { role_id, party_uuids: uuids.clone() });
            }
        }
        Metadata {
            title,
            last_modified: time(newest),
            version,
            oscal_version: VERSION,
            props: props([
                ("log-origin", self.origin.clone()),
                ("checkpoint-size", self.size.to_string()),
                ("checkpoint-root", self.root.clone()),
            ]),
            roles: ROLES.to_vec(),
            parties: std::iter::once(organization).chain(people.parties.values().cloned()).collect(),
            responsible_parties: responsible,
        }
    }
}

const ROLES: [Role; 3] = [
    Role { id: "assessor", title: "Who runs a drill or a recovery" },
    Role { id: "content-approver", title: "Who decides on it and reviews its results" },
    Role { id: "prepared-by", title: "Organisation that prepared this document" },
];

/// The people of one document. Parts of Muster are no parties: the organisation answers for them.
#[derive(Debug, Default)]
pub(crate) struct People {
    parties: BTreeMap<String, Party>,
    assessors: Vec<String>,
    approvers: Vec<String>,
}

impl People {
    /// The party's uuid.
    pub(crate) fn add(&mut self, scope: &Scope, actor: Option<&Actor>) -> String {
        let organization = scope.of_subject("party", "organization");
        let Some(actor) = actor.filter(|actor| actor.kind() == ActorKind::Person) else { return organization };
        let uuid = scope.of_subject("party", &actor.id);
        self.parties.entry(uuid.clone()).or_insert_with(|| Party {
            uuid: uuid.clone(),
            r#type: "person",
            name: text::value(&actor.name).or_else(|| text::value(&actor.id)).unwrap_or_else(|| uuid.clone()),
            props: props([("actor-id", actor.id.clone())]),
            member_of_organizations: vec![organization],
        });
        uuid
    }

    pub(crate) fn add_assessor(&mut self, scope: &Scope, actor: Option<&Actor>) {
        let uuid = self.add(scope, actor);
        once(&mut self.assessors, uuid);
    }

    pub(crate) fn add_approver(&mut self, scope: &Scope, actor: Option<&Actor>) -> String {
        let uuid = self.add(scope, actor);
        once(&mut self.approvers, uuid.clone());
        uuid
    }
}

fn once(list: &mut Vec<String>, uuid: String) {
    if !list.contains(&uuid) {
        list.push(uuid);
    }
}

/// The proofs of one document, by sequence, and the resources that hold them.
pub(crate) struct Evidence<'a> {
    scope: &'a Scope,
    proofs: &'a BTreeMap<u64, PackageFile>,
    cited: BTreeMap<u64, String>,
}

static NO_PROOFS: BTreeMap<u64, PackageFile> = BTreeMap::new();

impl<'a> Evidence<'a> {
    pub(crate) fn new(scope: &'a Scope, proofs: &'a BTreeMap<u64, PackageFile>) -> Self {
        Self { scope, proofs, cited: BTreeMap::new() }
    }

    /// For documents that point at the whole record only.
    pub(crate) fn without_proofs(scope: &'a Scope) -> Self {
        Self::new(scope, &NO_PROOFS)
    }

    pub(crate) fn scope(&self) -> &'a Scope {
        self.scope
    }

    /// The resource of the event's proof; of all events, where the package has no proof for this one alone.
    fn resource(&mut self, event: &Logged) -> String {
        let sequence = event.record.sequence;
        if !self.proofs.contains_key(&sequence) {
            return self.scope.of_event("resource", "events");
        }
        let uuid = self.scope.of_event("resource", &format!("proof/{}", event.id()));
        self.cited.insert(sequence, uuid.clone());
        uuid
    }

    /// An event as relevant evidence.
    pub(crate) fn cite(&mut self, event: &Logged) -> RelevantEvidence {
        let link = |file: &str, rel: &'static str, text: String| Link {
            href: format!("#{}", self.scope.of_event("resource", file)),
            rel,
            text: Some(text),
        };
        let links = vec![
            link("events", "source", format!("sequence {} in events.jsonl", event.record.sequence)),
            link("checkpoint", "checkpoint", format!("size {}", self.scope.size)),
        ];
        RelevantEvidence {
            href: format!("#{}", self.resource(event)),
            description: format!("Event {} and its inclusion proof.", code(&event.record.r#type)),
            props: self.props(event),
            links,
        }
    }

    /// Takes over citations that were made for another document of this package.
    pub(crate) fn cite_again(&mut self, cited: &[RelevantEvidence]) {
        let sequence = |props: &[Prop]| props.iter().find(|p| p.name == "stream-sequence")?.value.parse::<u64>().ok();
        for evidence in cited {
            let Some(sequence) = sequence(&evidence.props).filter(|s| self.proofs.contains_key(s)) else { continue };
            self.cited.insert(sequence, evidence.href.trim_start_matches('#').to_owned());
        }
    }

    /// A link to the event's proof, where there is one.
    pub(crate) fn link(&mut self, event: &Logged) -> Link {
        let rel = if self.proofs.contains_key(&event.record.sequence) { "proof" } else { "source" };
        Link { href: format!("#{}", self.resource(event)), rel, text: None }
    }

    pub(crate) fn props(&self, event: &Logged) -> Vec<Prop> {
        props([
            ("event-id", event.record.event_id.clone()),
            ("event-type", event.record.r#type.clone()),
            ("stream", self.scope.stream.clone()),
            ("stream-sequence", event.record.sequence.to_string()),
            ("leaf-hash", event.leaf_hash.clone()),
        ])
    }

    /// The package's files and every proof that was cited.
    pub(crate) fn back_matter(self) -> BackMatter {
        let files = self.scope.files.iter().map(|file| {
            let name = file.path.trim_end_matches(".jsonl");
            file.resource(self.scope.of_event("resource", name))
        });
        let proofs =
            self.cited.iter().filter_map(|(sequence, uuid)| Some(self.proofs.get(sequence)?.resource(uuid.clone())));
        BackMatter { resources: files.chain(proofs).collect() }
    }
}

/// "proofs/seq-000016.tlog-proof": OSCAL wants a file name that begins with a letter.
pub(crate) fn proof_path(sequence: u64) -> String {
    format!("proofs/seq-{sequence:06}.tlog-proof")
}
