//! Things that wait for others, in an order in which everything comes after what it waits for.

use std::collections::{BTreeMap, BTreeSet};

/// What waits, and what for. Names that are no node of the graph are left aside.
pub(super) type Node<'a> = (&'a str, Vec<&'a str>);

/// Positions in an order that respects what waits for what; what could begin together keeps the order it is written
/// in. `Err`: the names that wait for themselves, or for some that do.
pub(super) fn in_order<'a>(nodes: &[Node<'a>]) -> Result<Vec<usize>, Vec<&'a str>> {
    let known: BTreeSet<&str> = nodes.iter().map(|(name, _)| *name).collect();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut order = Vec::with_capacity(nodes.len());
    while order.len() < nodes.len() {
        let free = nodes.iter().enumerate().find(|(index, (_, waits_for))| {
            !order.contains(index) && waits_for.iter().all(|name| done.contains(name) || !known.contains(name))
        });
        let Some((index, (name, _))) = free else {
            return Err(nodes.iter().map(|(name, _)| *name).filter(|name| !done.contains(name)).collect());
        };
        order.push(index);
        done.insert(name);
    }
    Ok(order)
}

/// The names on a circle, each waiting for the next: `a waits for b waits for a`. Empty when there is none.
pub(super) fn circle<'a>(nodes: &[Node<'a>]) -> Vec<&'a str> {
    let Err(stuck) = in_order(nodes) else { return Vec::new() };
    // Everything stuck waits for something stuck: following that must come back to where it was.
    let mut path: Vec<&str> = stuck.first().copied().into_iter().collect();
    while let Some(last) = path.last().copied() {
        let waits_for = nodes.iter().find(|(name, _)| *name == last).map(|(_, waits_for)| waits_for);
        let Some(next) = waits_for.into_iter().flatten().copied().find(|name| stuck.contains(name)) else { break };
        if let Some(start) = path.iter().position(|name| *name == next) {
            return path.split_off(start);
        }
        path.push(next);
    }
    stuck
}

/// Everything that comes before `name`, near or far.
pub(super) fn before<'a>(nodes: &[Node<'a>], name: &str) -> BTreeSet<&'a str> {
    let waits_for: BTreeMap<&str, &Vec<&str>> = nodes.iter().map(|(name, waits_for)| (*name, waits_for)).collect();
    let mut found = BTreeSet::new();
    let mut open: Vec<&'a str> = waits_for.get(name).into_iter().flat_map(|names| names.iter().copied()).collect();
    while let Some(next) = open.pop() {
        if found.insert(next) {
            open.extend(waits_for.get(next).into_iter().flat_map(|names| names.iter().copied()));
        }
    }
    found
}
