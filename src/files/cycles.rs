//! Things of one sort that refer to each other, and may not do so in a circle: one walk for API scopes, resource types
//! and roles.

use super::read::Reference;

/// How many things of a cycle a message names.
const SHOWN: usize = 8;

/// What one thing refers to.
pub(super) struct Links {
    /// The thing's place in its list of the file.
    pub(super) item: usize,
    /// Positions among the things that the walk is over.
    pub(super) references: Vec<Reference>,
}

/// The things of a cycle, from the one that the walk met first.
pub(super) struct Cycle<'w>(&'w [(usize, usize)]);

impl Cycle<'_> {
    /// The cycle for a message: `a -> b -> a`, cut in the middle if it is long.
    pub(super) fn shown(&self, ids: &[&str]) -> String {
        let id = |(index, _): &(usize, usize)| ids.get(*index).copied().unwrap_or_default();
        let mut shown: Vec<&str> = self.0.iter().take(SHOWN).map(id).collect();
        let hidden = format!("... {} more ...", self.0.len().saturating_sub(SHOWN));
        if self.0.len() > SHOWN {
            shown.push(&hidden);
        }
        shown.extend(self.0.first().map(id));
        shown.join(" -> ")
    }
}

/// Shows every reference that closes a cycle, with the thing that it is of. Gives all things in such an order that,
/// but for those references, each comes after all that it refers to. A depth-first walk with its own stack, linear in
/// the references.
pub(super) fn walk(links: &[Links], mut closes: impl FnMut(&Links, &Reference, &Cycle<'_>)) -> Vec<usize> {
    #[derive(Clone, Copy, PartialEq)]
    enum Visit {
        Not,
        /// On the way, at this depth.
        Open(usize),
        Done,
    }
    let mut visits = vec![Visit::Not; links.len()];
    let mut order = Vec::with_capacity(links.len());
    for start in 0..links.len() {
        // Things on the way, each with how many of its references were followed.
        let mut way: Vec<(usize, usize)> = Vec::new();
        let mut enter = (visits.get(start) == Some(&Visit::Not)).then_some(start);
        loop {
            if let Some(index) = enter.take() {
                if let Some(visit) = visits.get_mut(index) {
                    *visit = Visit::Open(way.len());
                }
                way.push((index, 0));
            }
            let Some((index, followed)) = way.last_mut() else { break };
            let index = *index;
            let next = links.get(index).and_then(|links| Some((links, links.references.get(*followed)?)));
            let Some((from, reference)) = next else {
                if let Some(visit) = visits.get_mut(index) {
                    *visit = Visit::Done;
                }
                order.push(index);
                way.pop();
                continue;
            };
            *followed += 1;
            let to = reference.to as usize;
            match visits.get(to) {
                Some(Visit::Not) => enter = Some(to),
                Some(Visit::Open(depth)) => {
                    closes(from, reference, &Cycle(way.get(*depth..).unwrap_or_default()));
                }
                Some(Visit::Done) | None => {}
            }
        }
    }
    order
}

/// How many references there are at most, one after the other, from each thing. `order` is what [`walk`] gave when there
/// were no cycles.
pub(super) fn depths(links: &[Links], order: &[usize]) -> Vec<usize> {
    let mut depths = vec![0; links.len()];
    for index in order {
        let references = links.get(*index).map(|links| links.references.as_slice()).unwrap_or_default();
        let deepest = references.iter().filter_map(|reference| depths.get(reference.to as usize)).max();
        let depth = deepest.map_or(0, |depth| depth + 1);
        if let Some(own) = depths.get_mut(*index) {
            *own = depth;
        }
    }
    depths
}
