//! Reads one block of keys: what is asked for is typed, what is not asked for is refused by name.

use std::collections::BTreeSet;

use jiff::Timestamp;
use muster_domain::time::{PbDuration, PbTimestamp, duration_to_pb, to_pb};

use super::{
    fault::{Faults, Place},
    node::{Key, Node, Value},
    scalar::{self, DURATION_FORMS, SIZE_FORMS},
    suggest::nearest,
};

/// Longest part of a wrong value that is repeated.
const SHOWN: usize = 80;

/// A block of keys being read.
pub(super) struct Fields<'n, 'f> {
    pub(super) faults: &'f Faults,
    pub(super) path: String,
    pub(super) at: Place,
    entries: &'n [(Key, Node)],
    known: Vec<&'static str>,
}

impl<'n, 'f> Fields<'n, 'f> {
    /// `None`, with a fault, when the node is no block of keys.
    pub(super) fn of(node: &'n Node, path: impl Into<String>, faults: &'f Faults) -> Option<Self> {
        let path = path.into();
        match &node.value {
            Value::Map(entries) => {
                let fields = Self { faults, path, at: node.at, entries, known: Vec::new() };
                fields.refuse_repeated();
                Some(fields)
            }
            other => {
                faults.add(
                    node.at,
                    &path,
                    "this is a block of keys",
                    other.describe(),
                    "key: value lines, indented",
                    "write its keys below it",
                );
                None
            }
        }
    }

    fn refuse_repeated(&self) {
        let mut seen = BTreeSet::new();
        for (key, _) in self.entries {
            if !seen.insert(key.name.as_str()) {
                let field = self.field(&show(&key.name));
                self.faults.add(
                    key.at,
                    &field,
                    "a key is given once",
                    "given again here",
                    "once",
                    "remove one of the two",
                );
            }
        }
    }

    pub(super) fn field(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The value of a key, which is known from now on. A key with nothing behind it is a fault: it looks set and is not.
    pub(super) fn take(&mut self, key: &'static str) -> Option<&'n Node> {
        self.know(key);
        let (_, node) = self.entries.iter().find(|(k, _)| k.name == key)?;
        if let Value::Null = node.value {
            self.faults.add(
                node.at,
                &self.field(key),
                "a key has a value",
                "nothing",
                "a value",
                "give the value, or remove the key",
            );
            return None;
        }
        Some(node)
    }

    fn know(&mut self, key: &'static str) {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
    }

    pub(super) fn text(&mut self, key: &'static str) -> String {
        let field = self.field(key);
        self.take(key).and_then(|node| text_of(node, &field, self.faults)).unwrap_or_default()
    }

    pub(super) fn flag(&mut self, key: &'static str) -> bool {
        let field = self.field(key);
        match self.take(key) {
            None => false,
            Some(Node { value: Value::Flag(flag), .. }) => *flag,
            Some(node) => {
                self.faults.add(
                    node.at,
                    &field,
                    "this is a yes-or-no",
                    &shown(node),
                    "true or false",
                    "write true or false, without quotes",
                );
                false
            }
        }
    }

    /// A whole number that fits into 32 bits; the domain knows the tighter limit.
    pub(super) fn whole(&mut self, key: &'static str) -> Option<u32> {
        let field = self.field(key);
        let node = self.take(key)?;
        let number = match node.value {
            Value::Whole(number) => u32::try_from(number).ok(),
            _ => None,
        };
        if number.is_none() {
            self.faults.add(
                node.at,
                &field,
                "this is a whole number",
                &shown(node),
                "a number without quotes, 0 or more",
                "write it in digits",
            );
        }
        number
    }

    /// Whole numbers that fit into 32 bits.
    pub(super) fn wholes(&mut self, key: &'static str) -> Vec<u32> {
        self.list(key, |node, field, faults| {
            let number = match node.value {
                Value::Whole(number) => u32::try_from(number).ok(),
                _ => None,
            };
            if number.is_none() {
                let allowed = "numbers without quotes, 0 or more";
                faults.add(node.at, field, "this is a whole number", &shown(node), allowed, "write it in digits");
            }
            number
        })
    }

    /// A moment with its offset from UTC. A local time without one means another moment to everybody.
    pub(super) fn moment(&mut self, key: &'static str) -> Option<PbTimestamp> {
        let field = self.field(key);
        moment_of(self.take(key)?, &field, self.faults)
    }

    pub(super) fn moments(&mut self, key: &'static str) -> Vec<PbTimestamp> {
        self.list(key, moment_of)
    }

    pub(super) fn durations(&mut self, key: &'static str) -> Vec<PbDuration> {
        self.list(key, duration_of)
    }

    /// Which one of these keys the block has. None, or more than one, is a fault.
    pub(super) fn one_of(&mut self, keys: &[&'static str], rule: &str) -> Option<&'static str> {
        keys.iter().for_each(|key| self.know(key));
        let mut given = keys.iter().copied().filter(|key| self.has(key));
        let first = given.next();
        let Some(second) = given.next() else {
            if first.is_none() {
                let path = if self.path.is_empty() { "document" } else { &self.path };
                self.faults.add(self.at, path, rule, "none of them", &keys.join(", "), "add one of these keys");
            }
            return first;
        };
        let found = format!("{} and {second}", first.unwrap_or_default());
        let at = self.entries.iter().find(|(key, _)| key.name == second).map_or(self.at, |(key, _)| key.at);
        self.faults.add(at, &self.field(second), rule, &found, "one of them", "remove the others");
        first
    }

    pub(super) fn duration(&mut self, key: &'static str) -> Option<PbDuration> {
        let field = self.field(key);
        duration_of(self.take(key)?, &field, self.faults)
    }

    pub(super) fn size(&mut self, key: &'static str) -> Option<u64> {
        let field = self.field(key);
        let node = self.take(key)?;
        let read = match &node.value {
            Value::Text(text) => scalar::size(text),
            Value::Whole(number) => u64::try_from(*number).ok(),
            _ => None,
        };
        if read.is_none() {
            self.faults.add(
                node.at,
                &field,
                "this is a number of bytes",
                &shown(node),
                SIZE_FORMS,
                "write it like 16MiB",
            );
        }
        read
    }

    pub(super) fn choice<T: Copy>(&mut self, key: &'static str, options: &[(&str, T)]) -> Option<T> {
        let field = self.field(key);
        self.take(key).and_then(|node| choice_of(node, &field, options, self.faults))
    }

    pub(super) fn choices<T: Copy>(&mut self, key: &'static str, options: &[(&str, T)]) -> Vec<T> {
        self.list(key, |node, field, faults| choice_of(node, field, options, faults))
    }

    pub(super) fn texts(&mut self, key: &'static str) -> Vec<String> {
        self.list(key, text_of)
    }

    pub(super) fn block(&mut self, key: &'static str) -> Option<Fields<'n, 'f>> {
        let field = self.field(key);
        self.take(key).and_then(|node| Fields::of(node, field, self.faults))
    }

    /// Reads each item of a list; items with faults are left out.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&'n Node, &str, &'f Faults) -> Option<T>,
    ) -> Vec<T> {
        let field = self.field(key);
        let Some(node) = self.take(key) else { return Vec::new() };
        let Value::List(items) = &node.value else {
            self.faults.add(
                node.at,
                &field,
                "this is a list",
                &shown(node),
                "items, each with a dash, or [a, b]",
                "write it as a list",
            );
            return Vec::new();
        };
        items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| read(item, &format!("{field}[{index}]"), self.faults))
            .collect()
    }

    /// Free keys with texts behind them.
    pub(super) fn texts_by_key(&mut self, key: &'static str) -> Vec<(String, String)> {
        let Some(block) = self.block(key) else { return Vec::new() };
        let entries = block.entries.iter();
        entries
            .filter_map(|(k, node)| Some((k.name.clone(), text_of(node, &block.field(&show(&k.name)), block.faults)?)))
            .collect()
    }

    /// What the block may hold, for the error of a key that is missing.
    pub(super) fn missing(&self, key: &str, allowed: &str, next: &str) {
        self.faults.add(self.at, &self.field(key), "this key is needed", "absent", allowed, next);
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(k, _)| k.name == key)
    }

    /// Refuses every key that nobody asked for: a misspelt limit that is silently ignored is worse than an error.
    pub(super) fn finish(self) {
        for (key, _) in self.entries.iter().filter(|(key, _)| !self.known.contains(&key.name.as_str())) {
            let next = match nearest(&key.name, &self.known) {
                Some(meant) => format!("did you mean {meant}?"),
                None => "remove it, or correct its name".to_owned(),
            };
            let field = self.field(&show(&key.name));
            self.faults.add(
                key.at,
                &field,
                "this key is not known here",
                &show(&key.name),
                &self.known.join(", "),
                &next,
            );
        }
    }
}

pub(super) fn text_of(node: &Node, field: &str, faults: &Faults) -> Option<String> {
    if let Value::Text(text) = &node.value {
        return Some(text.clone());
    }
    faults.add(
        node.at,
        field,
        "this is a text",
        node.value.describe(),
        "a text; in quotes when it looks like something else",
        "put it in quotes",
    );
    None
}

pub(super) fn choice_of<T: Copy>(node: &Node, field: &str, options: &[(&str, T)], faults: &Faults) -> Option<T> {
    let written = match &node.value {
        Value::Text(text) => text.clone(),
        Value::Whole(number) => number.to_string(),
        other => other.describe().to_owned(),
    };
    if let Some((_, value)) = options.iter().find(|(name, _)| *name == written) {
        return Some(*value);
    }
    let names: Vec<&str> = options.iter().map(|(name, _)| *name).collect();
    let next = match nearest(&written, &names) {
        Some(meant) => format!("did you mean {meant}?"),
        None => "use one of these".to_owned(),
    };
    faults.add(node.at, field, "this is one of certain words", &show(&written), &names.join(", "), &next);
    None
}

fn moment_of(node: &Node, field: &str, faults: &Faults) -> Option<PbTimestamp> {
    let read = node.text().and_then(|text| text.trim().parse::<Timestamp>().ok());
    if read.is_none() {
        faults.add(
            node.at,
            field,
            "this is a date and time with its offset from UTC",
            &shown(node),
            "RFC 3339: 2026-12-20T18:00:00+01:00, 2026-12-20T17:00:00Z",
            "write date, time and offset",
        );
    }
    read.map(to_pb)
}

fn duration_of(node: &Node, field: &str, faults: &Faults) -> Option<PbDuration> {
    let read = match &node.value {
        Value::Text(text) => scalar::duration(text),
        Value::Whole(number) if *number < 0 => Err("a length of time is not negative"),
        Value::Whole(_) | Value::Fraction(_) => Err("a length of time needs its unit"),
        _ => Err("a length of time is whole numbers with units"),
    };
    match read {
        Ok(length) => Some(duration_to_pb(length)),
        Err(rule) => {
            faults.add(node.at, field, rule, &shown(node), DURATION_FORMS, "write it like 30s, 5m or 4h");
            None
        }
    }
}

/// A wrong value of a field that never holds a secret.
fn shown(node: &Node) -> String {
    match &node.value {
        Value::Text(text) => show(text),
        Value::Whole(number) => number.to_string(),
        Value::Fraction(number) => number.to_string(),
        Value::Flag(flag) => flag.to_string(),
        other => other.describe().to_owned(),
    }
}

pub(super) fn show(text: &str) -> String {
    let mut short: String = text.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    if text.chars().count() > SHOWN {
        short.push('…');
    }
    short
}
