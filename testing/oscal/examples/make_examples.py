#!/usr/bin/env python3
"""Regenerates every file in this folder from one list of drill events.

It is the executable form of the mapping table in docs/evidence.md:
events -> canonical leaves -> Merkle log -> checkpoint + proofs -> OSCAL documents.
Needs Python >= 3.9 and the `cryptography` package (Ed25519). Output is byte-for-byte
deterministic: run it twice and `git diff` must be empty.

The signing keys below are derived from fixed public strings. TEST VECTORS ONLY.
"""
import base64
import datetime as dt
import hashlib
import json
import os
import pathlib
import shutil
import uuid

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

HERE = pathlib.Path(__file__).resolve().parent
EV = HERE / "evidence"

# ----------------------------------------------------------------- identities
TENANT = "01KA8Z6J0M3Q5V7X9B1D3F5H7K"              # opaque ULID, never a customer name
STREAM = "MUSTER_EVT_" + TENANT
EPOCH = 1
ORIGIN = f"audit.muster.example/{TENANT}/evt/{EPOCH}"   # checkpoint origin AND log key name
WITNESS = "witness.customer.example/muster"
OSCAL_VERSION = "1.2.1"
PROP_NS = "https://muster.example/ns/oscal"             # placeholder: replace once, then freeze
NS_UUID = uuid.uuid5(uuid.NAMESPACE_URL, PROP_NS + "/v1")
DRILL = "01KAD5R1M22N0V2026PGFA1M0V"
CATALOG_HREF = "../nist-sp800-53r5-subset_catalog.json"


def key(label):
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(label.encode()).digest())


LOG_KEY = key("muster test vector log key 1")
WIT_KEY = key("muster test vector witness key 1")
PKG_KEY = key("muster test vector package key 1")


def pub(k):
    return k.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def oid(*parts):
    """Deterministic OSCAL identifier (v5). UUIDv7 event ids are NOT legal OSCAL uuids."""
    return str(uuid.uuid5(NS_UUID, "\x1f".join(parts)))


def b64(b):
    return base64.b64encode(b).decode()


def sha(b):
    return hashlib.sha256(b).digest()


# ----------------------------------------------------------------- Merkle log (RFC 6962)
def leaf_hash(data):
    return sha(b"\x00" + data)


def node(l, r):
    return sha(b"\x01" + l + r)


def split(n):
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(h):
    if not h:
        return sha(b"")
    if len(h) == 1:
        return h[0]
    k = split(len(h))
    return node(mth(h[:k]), mth(h[k:]))


def inclusion(i, h):
    if len(h) <= 1:
        return []
    k = split(len(h))
    return inclusion(i, h[:k]) + [mth(h[k:])] if i < k else inclusion(i - k, h[k:]) + [mth(h[:k])]


def consistency(m, h, complete=True):
    n = len(h)
    if m == n:
        return [] if complete else [mth(h)]
    k = split(n)
    if m <= k:
        return consistency(m, h[:k], complete) + [mth(h[k:])]
    return consistency(m - k, h[k:], False) + [mth(h[:k])]


# ----------------------------------------------------------------- signed notes
def key_id(name, alg, pk):
    return sha(name.encode() + b"\n" + bytes([alg]) + pk)[:4]


def vkey(name, alg, pk):
    return f"{name}+{key_id(name, alg, pk).hex()}+{b64(bytes([alg]) + pk)}"


def checkpoint(size, root, cosign_time=None):
    text = f"{ORIGIN}\n{size}\n{b64(root)}\n"
    sig = LOG_KEY.sign(text.encode())
    out = text + "\n" + f"\u2014 {ORIGIN} {b64(key_id(ORIGIN, 1, pub(LOG_KEY)) + sig)}\n"
    if cosign_time is not None:                           # tlog-cosignature, type 0x04
        msg = f"cosignature/v1\ntime {cosign_time}\n{text}".encode()
        blob = key_id(WITNESS, 4, pub(WIT_KEY)) + cosign_time.to_bytes(8, "big") + WIT_KEY.sign(msg)
        out += f"\u2014 {WITNESS} {b64(blob)}\n"
    return out


def tlog_proof(i, leaf, hashes, cp):
    """The leaf text rides in the `extra` line, so one proof file is enough to recompute the leaf hash."""
    lines = "".join(b64(x) + "\n" for x in inclusion(i, hashes))
    return f"c2sp.org/tlog-proof@v1\nextra {b64(leaf)}\nindex {i}\n{lines}\n{cp}"


# ----------------------------------------------------------------- canonical leaf
def canonical_headers(headers):
    """Nats-* headers are transport state, except the message id. Sorted by name bytes;
    repeated names keep arrival order. Names hold no ':', values hold no CR/LF (NATS rule)."""
    keep = [(n, v) for n, v in headers if not n.startswith("Nats-") or n == "Nats-Msg-Id"]
    keep.sort(key=lambda nv: nv[0].encode())
    return "".join(f"{n}: {v}\n" for n, v in keep).encode()


def event_leaf(e):
    payload = base64.b64decode(e["payload_b64"])
    return (
        "muster-audit-leaf/v1\n"
        f"log {ORIGIN}\n"
        f"stream {e['stream']}\n"
        f"seq {e['seq']}\n"
        f"subject {e['subject']}\n"
        f"time {e['time_ns']}\n"
        f"headers sha256:{sha(canonical_headers(e['headers'])).hex()}\n"
        f"payload {len(payload)} sha256:{sha(payload).hex()}\n"
    ).encode()


GENESIS = (
    "muster-audit-genesis/v1\n"
    f"log {ORIGIN}\n"
    f"stream {STREAM}\n"
    "first-seq 1\n"
    "previous none\n"                                     # epoch > 1: origin, size, root of the old log
    f"key {vkey(ORIGIN, 1, pub(LOG_KEY))}\n"
).encode()

# ----------------------------------------------------------------- the drill
T0 = dt.datetime(2026, 11, 14, 1, 0, 0, tzinfo=dt.timezone.utc)


def at(days=0, h=0, m=0, s=0):
    return T0 + dt.timedelta(days=days, hours=h, minutes=m, seconds=s)


def iso(t):
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


SCRIPT = [
    # (type, when, actor, data)
    ("plan.published", at(-40, 8), "user:cto", {"plan": "bcp-payments", "version": 7, "rto_seconds": 900, "rpo_seconds": 60}),
    ("schedule.created", at(-30, 9), "user:bcm-lead", {"plan": "bcp-payments", "scenario": "region-loss", "every": "6 months"}),
    ("backup.observed", at(-1, 20, 10), "svc:connector-postgresql", {"kind": "base", "bytes": 48318382080, "site": "b"}),
    ("restore.verified", at(-1, 21, 55), "svc:connector-postgresql", {"method": "full-restore", "checksum_ok": True, "rows_ok": True}),
    ("request.created", at(-1, 22), "svc:scheduler", {"type": "drill", "scenario": "region-loss", "target": "b", "change": "CHG-4711"}),
    ("approval.granted", at(-1, 22, 30), "user:approver-it", {"role": "approver-it", "policy": "tier-1"}),
    ("approval.granted", at(-1, 22, 50), "user:approver-business", {"role": "approver-business", "policy": "tier-1"}),
    ("precheck.passed", at(0, 0, 0, 20), "svc:executor", {"checks": 11}),
    ("execution.started", at(0, 0, 1), "user:drill-lead", {"confirmed": True, "plan_version": 7}),
    ("marker.captured", at(0, 0, 1, 30), "svc:connector-postgresql", {"when": "before", "site": "a", "lsn": "5C/9A3F1E80"}),
    ("execution.step.completed", at(0, 0, 2), "svc:executor", {"step": "fence-primary", "site": "a"}),
    ("execution.step.completed", at(0, 0, 7, 40), "svc:executor", {"step": "promote-standby", "site": "b", "timeline": 12}),
    ("marker.captured", at(0, 0, 7, 45), "svc:connector-postgresql", {"when": "after", "site": "b", "lsn": "5C/9A290F40"}),
    ("execution.succeeded", at(0, 0, 11, 42), "svc:executor", {"site": "b", "postchecks": "24/24"}),
    ("objective.measured", at(0, 0, 12), "svc:evaluator", {"objective": "rto", "target_seconds": 900, "measured_seconds": 582, "met": True}),
    ("objective.measured", at(0, 0, 12, 1), "svc:evaluator", {"objective": "rpo", "target_seconds": 60, "loss_window_up_to_seconds": 94, "met": False}),
    ("failback.succeeded", at(0, 2, 31), "svc:executor", {"site": "a", "postchecks": "24/24", "divergent_rows": 0}),
    ("drill.closed", at(0, 2, 40), "user:drill-lead", {"steps": 17, "failed_steps": 0}),
    ("gap.opened", at(0, 2, 45), "svc:evaluator", {"gap": "rpo-94s", "control": "cp-6.2", "severity": "moderate", "due": iso(at(60))}),
    ("drill.reviewed", at(3, 9), "user:ciso", {"decision": "accepted-with-gap"}),
    ("gap.planned", at(4, 10), "user:dba-lead", {"gap": "rpo-94s", "plan": "synchronous commit to site b for the ledger cluster", "by": iso(at(45))}),
]

events = []
for n, (typ, when, actor, data) in enumerate(SCRIPT, 1):
    eid = str(uuid.UUID(bytes=sha(f"event {n}".encode())[:16], version=4))
    salt = sha(f"salt {n}".encode())[:16].hex()           # real service: 16 random bytes per event
    body = json.dumps({"actor": actor, "data": data, "salt": salt}, sort_keys=True, separators=(",", ":"))
    events.append({
        "stream": STREAM, "seq": n,
        "subject": f"muster.{TENANT}.request.{DRILL}.{typ}",
        "time_ns": int(when.timestamp()) * 10**9 + 1000 * n,
        "headers": [["Nats-Msg-Id", eid], ["Muster-Event-Type", typ], ["Muster-Actor", actor], ["Nats-Expected-Last-Sequence", str(n - 1)]],
        "payload_b64": b64(body.encode()),
        "_id": eid, "_type": typ, "_when": when, "_actor": actor, "_data": data,
    })

shutil.rmtree(EV, ignore_errors=True)
(EV / "proofs").mkdir(parents=True)
(EV / "tile/0").mkdir(parents=True)
(EV / "tile/entries").mkdir(parents=True)
(EV / "bad").mkdir()

leaves = [GENESIS] + [event_leaf(e) for e in events]
H = [leaf_hash(x) for x in leaves]
N, M = len(H), 17                                          # M: an earlier checkpoint, after the RPO event
cp_old = checkpoint(M, mth(H[:M]), int(at(0, 0, 12, 5).timestamp()))
cp_new = checkpoint(N, mth(H), int(at(4, 10, 0, 4).timestamp()))


def put(path, data):
    p = EV / path
    p.parent.mkdir(parents=True, exist_ok=True)
    p.write_bytes(data if isinstance(data, bytes) else data.encode())


put("events.jsonl", "".join(json.dumps({k: v for k, v in e.items() if k[0] != "_"}, sort_keys=True) + "\n" for e in events))
put("leaves.txt", b"\n".join(leaves))
put("checkpoint", cp_new)
put(f"checkpoint.{M}", cp_old)
put(f"consistency-{M}-{N}.txt", "".join(b64(x) + "\n" for x in consistency(M, H)))
put(f"tile/0/000.p/{N}", b"".join(H))
put(f"tile/entries/000.p/{N}", b"".join(len(x).to_bytes(2, "big") + x for x in leaves))
for e in events:
    put(f"proofs/seq-{e['seq']:06d}.tlog-proof", tlog_proof(e["seq"], leaves[e["seq"]], H, cp_new))
put("policy", f"log {vkey(ORIGIN, 1, pub(LOG_KEY))}\nwitness customer {vkey(WITNESS, 4, pub(WIT_KEY))}\nquorum customer\n")
put("package-key.pem", PKG_KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
roots = {}
syn = [leaf_hash(f"leaf {i}".encode()) for i in range(70000)]
for n in (0, 1, 2, 3, 7, 8, 255, 256, 257, 300, 65536, 70000):
    roots[str(n)] = mth(syn[:n]).hex()
put("synthetic-roots.json", json.dumps({"leaf_i": "ASCII 'leaf <i>'", "roots": roots}, indent=1) + "\n")

# Broken logs: each must be refused by our verifier and by the independent ones.
R = next(e["seq"] for e in events if e["_data"].get("objective") == "rpo")
edited = {**events[R - 1], "payload_b64": b64(base64.b64decode(events[R - 1]["payload_b64"]).replace(b":94,", b":54,"))}
assert edited["payload_b64"] != events[R - 1]["payload_b64"]
bad_leaf = event_leaf(edited)
forged = H[:R] + [leaf_hash(bad_leaf)] + H[R + 1:]
put("bad/edited-event.leaf", bad_leaf)                     # loss window 94 s rewritten to 54 s; its proof must fail
put("bad/deleted-event.tile", b"".join(H[:R] + H[R + 1:]))  # root differs from checkpoint
put("bad/reordered.tile", b"".join(H[:9] + [H[10], H[9]] + H[11:]))
put("bad/truncated.checkpoint", checkpoint(M - 2, mth(H[:M - 2])))   # valid log signature, smaller than the older checkpoint
put("bad/split-view.checkpoint", checkpoint(N, mth(forged)))         # valid log signature, same size, other root, no witness
put("bad/forged.checkpoint", cp_new.replace(b64(mth(H)), b64(mth(forged))))   # signatures do not fit the text

# ----------------------------------------------------------------- OSCAL
by_type = {}
for e in events:
    by_type.setdefault(e["_type"], []).append(e)


def ev(typ, n=0):
    return by_type[typ][n]


def file_res(label, title, path, media, rtype="evidence", embed=False, desc=None):
    data = (EV / path).read_bytes()
    r = {"uuid": oid("resource", ORIGIN, label), "title": title}
    if desc:
        r["description"] = desc
    r["props"] = [{"name": "type", "value": rtype}]
    r["rlinks"] = [{"href": f"evidence/{path}", "media-type": media, "hashes": [{"algorithm": "SHA-256", "value": sha(data).hex()}]}]
    if embed:
        r["base64"] = {"filename": pathlib.Path(path).name, "media-type": media, "value": b64(data)}
    return r


RES_CP = oid("resource", ORIGIN, "checkpoint")
RES_EV = oid("resource", ORIGIN, "events")
RES_POLICY = oid("resource", ORIGIN, "policy")


def base_resources():
    return [
        file_res("checkpoint", f"Signed checkpoint of log {ORIGIN}, size {N}", "checkpoint", "text/plain", embed=True,
                 desc="C2SP tlog-checkpoint with one witness cosignature."),
        file_res("policy", "Trust policy: log key, witness key, quorum", "policy", "text/plain", "artifact", embed=True),
        file_res("events", "Event records covered by the checkpoint (JSON Lines)", "events.jsonl", "application/jsonl", "raw-data"),
    ]


def proof_res(e):
    return file_res(f"proof/{e['_id']}", f"Inclusion proof, stream sequence {e['seq']}", f"proofs/seq-{e['seq']:06d}.tlog-proof",
                    "text/plain", embed=True, desc="C2SP tlog-proof with the leaf text; verifies offline against the trust policy.")


def prop(name, value, cls=None):
    p = {"name": name, "ns": PROP_NS, "value": str(value)}
    if cls:
        p["class"] = cls
    return p


def event_props(e):
    return [prop("event-id", e["_id"]), prop("event-type", e["_type"]), prop("stream", e["stream"]),
            prop("stream-sequence", e["seq"]), prop("leaf-hash", H[e["seq"]].hex())]


def evidence(e, text):
    return {"href": "#" + oid("resource", ORIGIN, f"proof/{e['_id']}"), "description": text, "props": event_props(e),
            "links": [{"href": "#" + RES_EV, "rel": "source", "text": f"line {e['seq']} of events.jsonl"},
                      {"href": "#" + RES_CP, "rel": "checkpoint"}]}


P_OPER = oid("party", TENANT, "operator")
P_LEAD = oid("party", TENANT, "user:drill-lead")
P_CISO = oid("party", TENANT, "user:ciso")
C_PG = oid("component", TENANT, "payments-ledger-postgresql")
C_SVC = oid("component", "product", "muster")
C_PLAT = oid("platform", TENANT, "muster")
TASK = oid("task", TENANT, "bcp-payments", "region-loss")
TASK_REVIEW = oid("task", TENANT, "bcp-payments", "review")
ACT = oid("activity", "product", "postgresql-region-failover")
SYSTEM_ID = oid("system", TENANT)


def metadata(title, version, last):
    return {"title": title, "last-modified": iso(last), "version": version, "oscal-version": OSCAL_VERSION,
            "props": [prop("log-origin", ORIGIN), prop("checkpoint-size", N), prop("checkpoint-root", mth(H).hex())],
            "roles": [{"id": "assessor", "title": "Drill lead"}, {"id": "content-approver", "title": "Results approver"},
                      {"id": "prepared-by", "title": "Organisation that prepared this document"}],
            "parties": [{"uuid": P_OPER, "type": "organization", "name": "Example Bank BCM office"},
                        {"uuid": P_LEAD, "type": "person", "name": "Drill lead", "member-of-organizations": [P_OPER]},
                        {"uuid": P_CISO, "type": "person", "name": "CISO", "member-of-organizations": [P_OPER]}],
            "responsible-parties": [{"role-id": "prepared-by", "party-uuids": [P_OPER]},
                                    {"role-id": "content-approver", "party-uuids": [P_CISO]}]}


CONTROLS = ["cp-2", "cp-4", "cp-4.2", "cp-6", "cp-6.2", "cp-7", "cp-9", "cp-9.1", "cp-10", "au-9.3", "au-10"]


def reviewed(objectives=None):
    r = {"control-selections": [{"include-controls": [{"control-id": c} for c in CONTROLS]}]}
    if objectives:
        r["control-objective-selections"] = [{"include-objectives": [{"objective-id": o} for o in objectives]}]
    return r


def component(u, typ, title, text):
    return {"uuid": u, "type": typ, "title": title, "description": text, "status": {"state": "operational"}}


PG = component(C_PG, "software", "payments-ledger PostgreSQL cluster", "Primary at site a, streaming standby and WAL archive at site b.")
SVC = component(C_SVC, "service", "Muster", "Opens, gates and runs drills and failovers; records every step as an event.")
ASSETS = {"components": [SVC], "assessment-platforms": [{"uuid": C_PLAT, "title": "Muster, tenant control plane", "uses-components": [{"component-uuid": C_SVC}]}]}
TOOL = [{"actors": [{"type": "tool", "actor-uuid": C_SVC}], "related-tasks": [{"task-uuid": TASK}]}]

STEPS = [("fence", "Fence the primary at site a"), ("promote", "Promote the standby at site b"),
         ("smoke", "Run the smoke tests against site b"), ("measure", "Measure RTO and RPO"), ("failback", "Fail back to site a and compare rows")]

plan = {"assessment-plan": {
    "uuid": oid("assessment-plan", TENANT, "bcp-payments"),
    "metadata": metadata("Contingency test schedule: payments ledger", "7", ev("schedule.created")["_when"]),
    "import-ssp": {"href": "#" + oid("resource", TENANT, "ssp"), "remarks": "The SSP stays with the customer; this document only points at it."},
    "local-definitions": {
        "components": [PG],
        "activities": [{
            "uuid": ACT, "title": "Region loss: PostgreSQL failover and failback", "description": "Runbook `pg-region-failover`, version 12.",
            "props": [{"name": "method", "value": "TEST"}, prop("runbook", "pg-region-failover"), prop("rto-target-seconds", 900), prop("rpo-target-seconds", 60)],
            "steps": [{"uuid": oid("step", "product", "postgresql-region-failover", s), "title": t, "description": t + "."} for s, t in STEPS],
            "related-controls": reviewed(), "responsible-roles": [{"role-id": "assessor"}]}]},
    "terms-and-conditions": {"parts": [
        {"uuid": oid("part", TENANT, "methodology"), "name": "methodology", "prose": "Live failover during the low-traffic window; measured values come from the event log, not from interviews."},
        {"uuid": oid("part", TENANT, "assumptions"), "name": "assumptions", "prose": "Site b runs at production capacity."}]},
    "reviewed-controls": reviewed(),
    "assessment-subjects": [{"type": "component", "include-subjects": [{"subject-uuid": C_PG, "type": "component"}]}],
    "assessment-assets": ASSETS,
    "tasks": [
        {"uuid": TASK, "type": "action", "title": "Region-loss drill, payments ledger", "description": "Live failover to site b.",
         "props": event_props(ev("schedule.created")),
         "timing": {"at-frequency": {"period": 6, "unit": "months"}},
         "associated-activities": [{"activity-uuid": ACT, "subjects": [{"type": "component", "include-subjects": [{"subject-uuid": C_PG, "type": "component"}]}]}],
         "responsible-roles": [{"role-id": "assessor", "party-uuids": [P_LEAD]}]},
        {"uuid": TASK_REVIEW, "type": "milestone", "title": "Results reviewed and accepted", "timing": {"within-date-range": {"start": iso(at()), "end": iso(at(14))}},
         "dependencies": [{"task-uuid": TASK}], "responsible-roles": [{"role-id": "content-approver", "party-uuids": [P_CISO]}]}],
    "back-matter": {"resources": [
        {"uuid": oid("resource", TENANT, "ssp"), "title": "System security plan of the payments ledger", "description": "Held by the customer.",
         "props": [{"name": "type", "value": "plan"}], "citation": {"text": "Example Bank, SSP-PAY-0007"}}] + base_resources()}}}

# observation spec: (event, title, description, methods, extra props)
e_rto, e_rpo = by_type["objective.measured"]
OBS = [
    (ev("restore.verified"), "Backup restored and compared", "Full restore of the newest base backup at site b; checksums and row counts matched.", ["TEST"], []),
    (ev("execution.succeeded"), "Service resumed at the alternate site", "Failover to site b completed; 24 of 24 postchecks passed.", ["TEST"], []),
    (e_rto, "Recovery time measured: 582 s of 900 s", "From step `fence-primary` to `execution.succeeded`.", ["TEST"],
     [prop("rto-target-seconds", 900), prop("rto-measured-seconds", 582), prop("objective-met", "true")]),
    (e_rpo, "Recovery point: loss window up to 94 s, target 60 s", "Bounded by the markers captured before fencing and after promotion; no statement is made about less than that.", ["TEST"],
     [prop("rpo-target-seconds", 60), prop("rpo-loss-window-seconds", 94), prop("objective-met", "false")]),
    (ev("failback.succeeded"), "Failback without row divergence", "Failed back to site a; 0 rows differ.", ["TEST"], []),
    (ev("drill.reviewed"), "Results reviewed", "Results reviewed and accepted with one gap.", ["EXAMINE"], []),
    (ev("gap.planned"), "Corrective action planned", "Remediation of the recovery-point gap planned.", ["EXAMINE"], []),
    (ev("execution.started"), "Drill executed against the approved plan", "Live drill of plan version 7, confirmed by the operator after both tier-1 approvals.", ["TEST"], []),
]


def obs_id(e):
    return oid("observation", ORIGIN, e["_id"])


observations = []
for e, title, text, methods, extra in OBS:
    observations.append({
        "uuid": obs_id(e), "title": title, "description": text, "methods": methods, "types": ["control-objective"],
        "props": extra or [prop("event-type", e["_type"])], "origins": TOOL,
        "subjects": [{"subject-uuid": C_PG, "type": "component"}],
        "relevant-evidence": [evidence(e, f"Event `{e['_type']}` and its inclusion proof.")],
        "collected": iso(e["_when"])})

RISK = oid("risk", TENANT, "gap", "rpo-94s")
REMEDY = oid("response", TENANT, "gap", "rpo-94s")
risk = {
    "uuid": RISK, "title": "Recovery point objective missed by 34 s",
    "description": "Site b lagged the primary at promotion; transactions of up to 94 s could have been lost.",
    "statement": "Loss of confirmed payments beyond the tolerance set in the contingency plan.",
    # Ratings are props in our namespace: risk facets trip one of the validators (it ignores the facet's naming system).
    "props": event_props(ev("gap.opened")) + [prop("likelihood", "moderate"), prop("impact", "moderate")],
    "status": "remediating", "origins": TOOL,
    "deadline": iso(at(60)),
    "remediations": [{"uuid": REMEDY, "lifecycle": "planned", "title": "Synchronous commit to site b", "description": "Synchronous replication for the ledger cluster.",
                      "tasks": [{"uuid": oid("task", TENANT, "gap", "rpo-94s"), "type": "milestone", "title": "Change deployed and re-tested",
                                 "timing": {"within-date-range": {"start": iso(at(4, 10)), "end": iso(at(45))}}}]}],
    "risk-log": {"entries": [
        {"uuid": oid("risk-log", ORIGIN, ev("gap.opened")["_id"]), "title": "Gap opened", "start": iso(ev("gap.opened")["_when"]), "status-change": "open"},
        {"uuid": oid("risk-log", ORIGIN, ev("gap.planned")["_id"]), "title": "Remediation planned", "start": iso(ev("gap.planned")["_when"]),
         "status-change": "remediating", "related-responses": [{"response-uuid": REMEDY}]}]},
    "related-observations": [{"observation-uuid": obs_id(e_rpo)}]}

FINDINGS = [
    ("cp-4_obj.a-1", "satisfied", "Contingency plan tested", [ev("execution.started")], False),
    ("cp-4_obj.b", "satisfied", "Test results reviewed", [ev("drill.reviewed")], False),
    ("cp-4_obj.c", "satisfied", "Corrective action initiated", [ev("gap.planned")], False),
    ("cp-7_obj.a", "satisfied", "Operations transferred to the alternate site", [ev("execution.succeeded"), e_rto], False),
    ("cp-9.1_obj-2", "satisfied", "Backup integrity verified by restore", [ev("restore.verified")], False),
    ("cp-10_obj-1", "satisfied", "Recovered inside the recovery time objective", [ev("execution.succeeded"), e_rto], False),
    ("cp-10_obj-2", "satisfied", "Reconstituted at the primary site", [ev("failback.succeeded")], False),
    ("cp-6.2_obj-2", "not-satisfied", "Alternate storage did not meet the recovery point objective", [e_rpo], True),
]


def finding_id(target):
    return oid("finding", TENANT, "drill", DRILL, target)


findings = []
for target, state, title, obs, risky in FINDINGS:
    f = {"uuid": finding_id(target), "title": title, "description": f"Determination for objective `{target}` from drill `{DRILL}`.", "origins": TOOL,
         "target": {"type": "objective-id", "target-id": target, "status": {"state": state, "reason": "pass" if state == "satisfied" else "fail"}},
         "related-observations": [{"observation-uuid": obs_id(e)} for e in obs]}
    if risky:
        f["related-risks"] = [{"risk-uuid": RISK}]
    findings.append(f)

LOGGED = ["request.created", "approval.granted", "precheck.passed", "execution.started", "marker.captured", "execution.step.completed",
          "execution.succeeded", "failback.succeeded", "drill.closed"]
log_entries = []
for e in [e for e in events if e["_type"] in LOGGED]:
    typ = e["_type"]
    log_entries.append({"uuid": oid("log-entry", ORIGIN, e["_id"]), "title": typ, "description": "`" + json.dumps(e["_data"], sort_keys=True) + "`",
                        "start": iso(e["_when"]), "props": event_props(e), "links": [{"href": "#" + oid("resource", ORIGIN, f"proof/{e['_id']}"), "rel": "proof"}],
                        "logged-by": [{"party-uuid": P_LEAD if e["_actor"].startswith("user:") else P_OPER}], "related-tasks": [{"task-uuid": TASK}]})

used = [e for e in events if e["_type"] in LOGGED or e in [o[0] for o in OBS]]
last = events[-1]["_when"]
results = {"assessment-results": {
    "uuid": oid("assessment-results", TENANT, "drill", DRILL),
    "metadata": metadata("Contingency test results: payments ledger, November 2026", f"{N}-{mth(H).hex()[:12]}", last),
    "import-ap": {"href": "assessment-plan.json"},
    "results": [{
        "uuid": oid("result", TENANT, "drill", DRILL), "title": "Region-loss drill of the payments ledger",
        "description": "Live failover of the PostgreSQL cluster to site b and back.",
        "start": iso(ev("request.created")["_when"]), "end": iso(last),
        "props": [prop("drill-id", DRILL), prop("scenario", "region-loss"), prop("live", "true")],
        "reviewed-controls": reviewed([f[0] for f in FINDINGS]),
        "attestations": [{"responsible-parties": [{"role-id": "content-approver", "party-uuids": [P_CISO]}],
                          "parts": [{"uuid": oid("part", ORIGIN, ev("drill.reviewed")["_id"]), "name": "acceptance", "ns": PROP_NS, "prose": "Results accepted with one open gap.",
                                     "props": event_props(ev("drill.reviewed"))}]}],
        "assessment-log": {"entries": log_entries},
        "observations": observations, "risks": [risk], "findings": findings}],
    "back-matter": {"resources": base_resources() + [proof_res(e) for e in used]}}}

gap_events = [ev("gap.opened"), e_rpo, ev("gap.planned")]
poam = {"plan-of-action-and-milestones": {
    "uuid": oid("poam", TENANT, "payments-ledger"),
    "metadata": metadata("Open continuity gaps: payments ledger", f"{N}-{mth(H).hex()[:12]}", last),
    "system-id": {"identifier-type": "http://ietf.org/rfc/rfc4122", "id": SYSTEM_ID},
    "local-definitions": {"components": [PG], "assessment-assets": ASSETS},
    "observations": [o for o in observations if o["uuid"] == obs_id(e_rpo)],
    "risks": [risk],
    "findings": [f for f in findings if f["target"]["status"]["state"] == "not-satisfied"],
    "poam-items": [{
        "uuid": oid("poam-item", TENANT, "gap", "rpo-94s"), "title": "Bring the recovery point of the payments ledger under 60 s",
        "description": "Deploy synchronous commit to site b, then repeat the drill.", "props": event_props(ev("gap.opened")),
        "origins": [{"actors": [{"type": "party", "actor-uuid": P_LEAD}]}],
        "related-findings": [{"finding-uuid": finding_id("cp-6.2_obj-2")}],
        "related-observations": [{"observation-uuid": obs_id(e_rpo)}], "related-risks": [{"risk-uuid": RISK}]}],
    "back-matter": {"resources": base_resources() + [proof_res(e) for e in gap_events]}}}
# In a POA&M there is no plan to resolve a task from, so drop the task reference.
poam = json.loads(json.dumps(poam))
for group in ("observations", "risks", "findings"):
    for x in poam["plan-of-action-and-milestones"][group]:
        for o in x.get("origins", []):
            o.pop("related-tasks", None)

IMPL = [
    ("au-2", "au-2_smt.a", "The event types the service can record are listed in its published event catalogue."),
    ("au-3", "au-3_smt", "Every event carries type, time, stream, subject, actor, outcome and object identifiers."),
    ("au-9", "au-9_smt.a", "Events are append-only; any edit, removal or reordering breaks the signed Merkle log."),
    ("au-9.3", "au-9.3_smt", "SHA-256 Merkle log with Ed25519 checkpoints and witness cosignatures."),
    ("au-10", "au-10_smt", "Commands are signed by the caller's key; the signature is part of the logged event."),
    ("au-12", "au-12_smt.a", "Every service component publishes its state changes as events before acting on them."),
    ("cp-2", "cp-2_smt.a.2", "Plans hold recovery objectives, priorities and metrics as versioned events."),
    ("cp-4", "cp-4_smt.a", "Drills are scheduled, executed and measured by the service."),
    ("cp-9", "cp-9_smt.d", "Backups are verified by restore; results are logged."),
    ("cp-10", "cp-10_smt", "Failover and failback runbooks are executed and timed by the service."),
]
comp = {"component-definition": {
    "uuid": oid("component-definition", "product"),
    "metadata": {"title": "Muster: control implementations", "last-modified": iso(at(-60)), "version": "0.1.0", "oscal-version": OSCAL_VERSION,
                 "roles": [{"id": "prepared-by", "title": "Vendor"}], "parties": [{"uuid": oid("party", "vendor"), "type": "organization", "name": "Muster maintainers"}],
                 "responsible-parties": [{"role-id": "prepared-by", "party-uuids": [oid("party", "vendor")]}]},
    "components": [{"uuid": C_SVC, "type": "service", "title": "Muster", "description": "Event-sourced service for disaster-recovery readiness and failover.",
                    "control-implementations": [{
                        "uuid": oid("control-implementation", "product", "800-53r5"), "source": CATALOG_HREF, "description": "NIST SP 800-53 Rev. 5 controls this component implements or supports.",
                        "implemented-requirements": [{
                            "uuid": oid("requirement", "product", c), "control-id": c, "description": d,
                            "statements": [{"statement-id": s, "uuid": oid("statement", "product", s), "description": d}]} for c, s, d in IMPL]}]}]}}


def dump(name, doc):
    (HERE / name).write_text(json.dumps(doc, indent=2, ensure_ascii=False) + "\n")


dump("assessment-plan.json", plan)
dump("assessment-results.json", results)
dump("poam.json", poam)
dump("component-definition.json", comp)

# Document signature: DSSE envelope over an in-toto statement over the RFC 8785 digest, the format of `trestle sign/verify`.
# These documents hold only strings, small integers, booleans, lists and objects with ASCII keys, so sorted compact JSON is RFC 8785.
canon = json.dumps(results, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
statement = {"_type": "https://in-toto.io/Statement/v1",
             "subject": [{"name": "assessment-results.json", "digest": {"sha256": sha(canon).hex()}}],
             "predicateType": "https://oscal-compass.github.io/compliance-trestle/predicates/oscal-signing/v1",
             "predicate": {"canonicalization": "RFC8785", "digestAlgorithm": "sha256", "digestSource": "canonical-json", "tool": "muster"}}
pl = json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()
typ = b"application/vnd.in-toto+json"
pae = b"DSSEv1 %d %s %d %s" % (len(typ), typ, len(pl), pl)
spki = PKG_KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
dump("assessment-results.dsse.json", {"payload": b64(pl), "payloadType": typ.decode(), "signatures": [{"keyid": sha(spki).hex(), "sig": b64(PKG_KEY.sign(pae))}]})
print(f"{N} leaves, root {mth(H).hex()}, {len(observations)} observations, {len(findings)} findings")
