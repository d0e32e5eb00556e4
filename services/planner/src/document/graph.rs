//! Phases and steps as a drawing: phases from top to bottom, within one a step right of what it waits for.

use std::{collections::BTreeMap, fmt::Write};

use super::book::{Book, PhasePage};

const BOX_WIDTH: usize = 190;
const BOX_HEIGHT: usize = 44;
const GAP_X: usize = 46;
const GAP_Y: usize = 14;
const MARGIN: usize = 16;
const HEADING: usize = 26;
/// A longer name is cut in the drawing; the list beside it has all of it.
const MAX_LABEL: usize = 26;

/// Where a step's box is: its upper left corner.
type Places<'a> = BTreeMap<&'a str, (usize, usize)>;

/// An SVG for the page. Every text in it is escaped.
pub(super) fn drawing(book: &Book) -> String {
    let (mut boxes, mut places) = (String::new(), Places::new());
    let (mut top, mut width) = (0, 0);
    for phase in &book.phases {
        let (drawn, bottom, right) = draw_phase(phase, top, &mut places);
        boxes.push_str(&drawn);
        top = bottom;
        width = width.max(right);
    }
    let mut lines = String::new();
    for step in book.phases.iter().flat_map(|phase| &phase.steps) {
        let Some(to) = places.get(step.id.as_str()) else { continue };
        for from in step.after.iter().filter_map(|id| places.get(id.as_str())) {
            lines.push_str(&arrow(*from, *to));
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"phases and steps\" viewBox=\"0 0 {width} {top}\" width=\"{width}\" height=\"{top}\"><defs><marker id=\"tip\" markerWidth=\"8\" markerHeight=\"8\" refX=\"7\" refY=\"4\" orient=\"auto\"><path d=\"M0 0 L8 4 L0 8 z\"/></marker></defs>{boxes}{lines}</svg>"
    )
}

/// The drawing, and where it ends below and at the right.
fn draw_phase<'a>(phase: &'a PhasePage, top: usize, places: &mut Places<'a>) -> (String, usize, usize) {
    let mut drawn = String::new();
    let mut rows: BTreeMap<usize, usize> = BTreeMap::new();
    let (mut bottom, mut right) = (top + MARGIN + HEADING, MARGIN + BOX_WIDTH);
    for (step, column) in phase.steps.iter().zip(columns(phase)) {
        let row = rows.entry(column).or_default();
        let x = MARGIN + column * (BOX_WIDTH + GAP_X);
        let y = top + MARGIN + HEADING + *row * (BOX_HEIGHT + GAP_Y);
        *row += 1;
        places.insert(&step.id, (x, y));
        let (id, kind) = (label(&step.id), label(&step.forth.text));
        // Writing to a String cannot fail.
        let _ = write!(
            drawn,
            "<g><rect x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"4\"/><text x=\"{}\" y=\"{}\" class=\"id\">{id}</text><text x=\"{}\" y=\"{}\">{kind}</text></g>",
            x + 8,
            y + 18,
            x + 8,
            y + 35,
        );
        bottom = bottom.max(y + BOX_HEIGHT);
        right = right.max(x + BOX_WIDTH);
    }
    let heading =
        format!("<text x=\"{MARGIN}\" y=\"{}\" class=\"phase\">{}</text>", top + MARGIN + 14, label(&phase.title));
    (format!("{heading}{drawn}"), bottom + MARGIN, right + MARGIN)
}

/// How many steps of the same phase come before each, at most. A circle, which the linter names, ends at the last column.
fn columns(phase: &PhasePage) -> Vec<usize> {
    let count = phase.steps.len();
    let mut columns = vec![0; count];
    for _ in 0..count {
        let mut changed = false;
        for (index, step) in phase.steps.iter().enumerate() {
            let before =
                |id: &String| phase.steps.iter().position(|other| other.id == *id).filter(|other| *other != index);
            let wanted = step.after.iter().filter_map(before).map(|other| columns[other] + 1).max().unwrap_or(0);
            let wanted = wanted.min(count.saturating_sub(1));
            changed |= wanted != columns[index];
            columns[index] = wanted;
        }
        if !changed {
            break;
        }
    }
    columns
}

fn arrow((from_x, from_y): (usize, usize), (to_x, to_y): (usize, usize)) -> String {
    let same_phase = to_x > from_x;
    let (x1, y1) = if same_phase {
        (from_x + BOX_WIDTH, from_y + BOX_HEIGHT / 2)
    } else {
        (from_x + BOX_WIDTH / 2, from_y + BOX_HEIGHT)
    };
    let (x2, y2) = if same_phase { (to_x, to_y + BOX_HEIGHT / 2) } else { (to_x + BOX_WIDTH / 2, to_y) };
    format!("<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" marker-end=\"url(#tip)\"/>")
}

fn label(text: &str) -> String {
    let mut short: String = text.chars().filter(|c| !c.is_control()).take(MAX_LABEL).collect();
    if text.chars().count() > MAX_LABEL {
        short.push('…');
    }
    let mut escaped = String::with_capacity(short.len());
    for c in short.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
