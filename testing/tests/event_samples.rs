//! Formats live for ever: a kept sample of every event, as its bytes were on the day it was introduced.
//! Today's code must still read each one, and see in it what was seen then.
//!
//! A new event fails here until its sample is kept: `UPDATE_SAMPLES=1 cargo test -p muster-testing --test event_samples`
//! writes the missing ones and never touches those that are there.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

use std::{collections::BTreeMap, fs, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use muster_domain::{Aggregate, audit::describe};
use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage as _,
    SetFieldError, Value,
};
use serde_json::json;

/// Each event message, and the aggregate kind that it is stored under.
fn events() -> BTreeMap<&'static str, &'static str> {
    use muster_domain::{
        audit::{AuditDomain, AuditLog, Export, PayloadKey, Producer},
        delivery::{ChatBinding, Delivery, Escalation},
        denial::Denial,
        execution::{Execution, Reservation},
        gap::{Gap, Review},
        gate::Gate,
        inventory::Declared,
        plan::Plan,
        preflight::Preflight,
        readiness::Readiness,
        request::{Delegation, Intent, Request},
        schedule::Schedule,
    };
    BTreeMap::from([
        ("muster.inventory.v1.InventoryEvent", Declared::KIND),
        ("muster.readiness.v1.ReadinessEvent", Readiness::KIND),
        ("muster.plan.v1.PlanEvent", Plan::KIND),
        ("muster.request.v1.RequestEvent", Request::KIND),
        ("muster.request.v1.DelegationEvent", Delegation::KIND),
        ("muster.request.v1.GateEvent", Gate::KIND),
        ("muster.execution.v1.ExecutionEvent", Execution::KIND),
        ("muster.execution.v1.ReservationEvent", Reservation::KIND),
        ("muster.execution.v1.PreflightEvent", Preflight::KIND),
        ("muster.notification.v1.DeliveryEvent", Delivery::KIND),
        ("muster.schedule.v1.ScheduleEvent", Schedule::KIND),
        ("muster.request.v1.IntentEvent", Intent::KIND),
        ("muster.notification.v1.ChatBindingEvent", ChatBinding::KIND),
        ("muster.notification.v1.EscalationEvent", Escalation::KIND),
        ("muster.identity.v1.DenialEvent", Denial::KIND),
        ("muster.audit.v1.ExportEvent", Export::KIND),
        ("muster.audit.v1.AuditDomainEvent", AuditDomain::KIND),
        ("muster.audit.v1.AuditLogEvent", AuditLog::KIND),
        ("muster.audit.v1.PayloadKeyEvent", PayloadKey::KIND),
        ("muster.audit.v1.ProducerEvent", Producer::KIND),
        ("muster.audit.v1.GapEvent", Gap::KIND),
        ("muster.audit.v1.ReviewEvent", Review::KIND),
        ("muster.audit.v1.ParkedEvent", "parked"),
    ])
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples/events")
}

fn pool() -> DescriptorPool {
    DescriptorPool::decode(muster_proto::FILE_DESCRIPTOR_SET).unwrap()
}

#[test]
fn every_message_named_event_is_in_the_list() {
    let pool = pool();
    let named: Vec<String> =
        pool.all_messages().map(|m| m.full_name().to_owned()).filter(|name| name.ends_with("Event")).collect();
    let listed: Vec<String> = events().keys().map(|name| (*name).to_owned()).collect();
    assert!(named.iter().all(|name| listed.contains(name)), "{named:?}");
}

#[test]
fn every_event_has_a_kept_sample() {
    let update = std::env::var_os("UPDATE_SAMPLES").is_some();
    let mut missing = Vec::new();
    for (name, kind) in events() {
        let message = pool().get_message_by_name(name).unwrap();
        for variant in message.oneofs().flat_map(|oneof| oneof.fields().collect::<Vec<_>>()) {
            let file = directory().join(format!("{kind}.{}.v1.json", variant.name()));
            if file.exists() {
                continue;
            }
            if !update {
                missing.push(file.display().to_string());
                continue;
            }
            let mut event = DynamicMessage::new(message.clone());
            set(&mut event, &variant, value_of(&variant, 4)).unwrap();
            let payload = event.encode_to_vec();
            let seen: serde_json::Value =
                serde_json::from_str(&describe(kind, "sample", &payload).unwrap().payload_json).unwrap();
            let sample = json!({ "message": name, "kind": kind, "payload": STANDARD.encode(payload), "seen": seen });
            fs::create_dir_all(directory()).unwrap();
            fs::write(file, serde_json::to_string_pretty(&sample).unwrap() + "\n").unwrap();
        }
    }
    assert!(
        missing.is_empty(),
        "no sample is kept of: {missing:?}. Next: UPDATE_SAMPLES=1 cargo test -p muster-testing --test event_samples"
    );
}

#[test]
fn every_kept_sample_still_says_what_it_said() {
    let mut read = 0;
    for entry in fs::read_dir(directory()).unwrap() {
        let file = entry.unwrap().path();
        let sample: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let payload = STANDARD.decode(sample["payload"].as_str().unwrap()).unwrap();
        let described = describe(sample["kind"].as_str().unwrap(), "sample", &payload)
            .unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let seen: serde_json::Value = serde_json::from_str(&described.payload_json).unwrap();
        assert!(says_all_of(&seen, &sample["seen"]), "{}: {seen:#} is not {:#}", file.display(), sample["seen"]);
        assert!(!described.outcome.is_empty(), "{}", file.display());
        read += 1;
    }
    assert!(read > 30, "only {read} samples were found");
}

/// What was seen then is seen now, and what a field that came later adds is empty: nobody wrote it.
fn says_all_of(now: &serde_json::Value, then: &serde_json::Value) -> bool {
    use serde_json::Value;
    match (now, then) {
        (Value::Object(now), Value::Object(then)) => {
            now.iter().all(|(key, value)| then.get(key).map_or(is_empty(value), |then| says_all_of(value, then)))
                && then.keys().all(|key| now.contains_key(key))
        }
        (Value::Array(now), Value::Array(then)) => {
            now.len() == then.len() && now.iter().zip(then).all(|(now, then)| says_all_of(now, then))
        }
        (now, then) => now == then,
    }
}

fn is_empty(value: &serde_json::Value) -> bool {
    use serde_json::Value;
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(value) => value.as_f64() == Some(0.0),
        Value::String(value) => value.is_empty() || value == "0" || value.ends_with("_UNSPECIFIED"),
        Value::Array(values) => values.is_empty(),
        Value::Object(values) => values.is_empty(),
    }
}

#[test]
fn a_later_field_may_be_there_and_nothing_else_may_change() {
    let then = json!({ "a": "x", "list": [{ "b": 1 }] });
    assert!(says_all_of(&json!({ "a": "x", "list": [{ "b": 1, "new": "" }], "members": [] }), &then));
    for changed in [
        json!({ "a": "y", "list": [{ "b": 1 }] }),
        json!({ "list": [{ "b": 1 }] }),
        json!({ "a": "x", "list": [] }),
        json!({ "a": "x", "list": [{ "b": 1 }], "members": ["somebody"] }),
    ] {
        assert!(!says_all_of(&changed, &then), "{changed}");
    }
}

fn set(message: &mut DynamicMessage, field: &FieldDescriptor, value: Value) -> Result<(), SetFieldError> {
    message.try_set_field(field, value)
}

/// Something in every field, the same every time.
fn value_of(field: &FieldDescriptor, depth: u32) -> Value {
    if field.is_map() {
        let kind = field.kind();
        let value = kind.as_message().unwrap().map_entry_value_field();
        return Value::Map([(MapKey::String("key".into()), single(&value, depth))].into());
    }
    if field.is_list() { Value::List(vec![single(field, depth)]) } else { single(field, depth) }
}

fn single(field: &FieldDescriptor, depth: u32) -> Value {
    match field.kind() {
        Kind::Bool => Value::Bool(true),
        Kind::String => Value::String(format!("{} é\n\"1\"", field.name())),
        Kind::Bytes => Value::Bytes(vec![0, 255].into()),
        Kind::Double => Value::F64(1.5),
        Kind::Float => Value::F32(1.5),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(7),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(1_790_000_000),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(7),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(9_007_199_254_740_993),
        Kind::Enum(values) => Value::EnumNumber(values.values().nth(1).unwrap().number()),
        Kind::Message(message) => Value::Message(filled(&message, depth)),
    }
}

fn filled(message: &MessageDescriptor, depth: u32) -> DynamicMessage {
    let mut filled = DynamicMessage::new(message.clone());
    if message.full_name().starts_with("google.protobuf.") {
        // A time and a length of time within what both can hold.
        for field in message.fields() {
            let value = if field.name() == "seconds" { Value::I64(1_790_000_000) } else { Value::I32(500_000_000) };
            filled.set_field(&field, value);
        }
        return filled;
    }
    if depth > 0 {
        for field in message.fields() {
            // The first of alternatives only.
            if field.containing_oneof().is_none_or(|oneof| oneof.fields().next().as_ref() == Some(&field)) {
                set(&mut filled, &field, value_of(&field, depth - 1))
                    .unwrap_or_else(|e| panic!("{}: {e}", field.full_name()));
            }
        }
    }
    debug_assert_eq!(filled.descriptor(), *message);
    filled
}
