//! Paths made at random: of few ids, so that they meet, and mostly of what is registered.

use super::{
    super::oracle::{Catalog, paths::segments},
    Random, Worker,
    place::Place,
};

impl Catalog {
    /// A path of a type with random ids.
    pub(super) fn path(&self, random: &mut Random, resource_type: &str) -> String {
        let words = self.chain(Some(resource_type)).into_iter().map(|id| self.resource_types[&id].plural.clone());
        let steps = words.map(|word| {
            let number = [0, 0, 0, 1, 1, 2][random.below(6)];
            format!("{word}/x{number}")
        });
        steps.collect::<Vec<_>>().join("/")
    }

    /// The types right below one, or at the top.
    fn below(&self, parent: Option<&String>) -> Vec<String> {
        let types = self.resource_types.iter().filter(|(_, each)| each.parent.as_ref() == parent);
        types.map(|(id, _)| id.clone()).collect()
    }

    /// A pattern of resources that matches something.
    pub(super) fn resource_pattern(&self, random: &mut Random) -> String {
        let Some(resource_type) = random.pick(self.resource_types.keys().cloned()) else { return "**".into() };
        let path = self.path(random, &resource_type);
        let mut segments: Vec<&str> = segments(&path, '/');
        for (index, segment) in segments.iter_mut().enumerate() {
            if random.chance(if index % 2 == 0 { 5 } else { 30 }) {
                *segment = "*";
            }
        }
        match random.below(10) {
            0 => return "**".into(),
            1..5 => {
                segments.truncate(1 + random.below(segments.len()));
                segments.push("**");
            }
            _ => {}
        }
        segments.join("/")
    }
}

impl Worker {
    /// A path of a type: mostly of a registered resource, if there is one.
    pub(super) fn path_of(&mut self, place: &Place, resource_type: &str) -> String {
        let mut there = place.paths();
        there.retain(|path| place.catalog.type_of(path).as_deref() == Some(resource_type));
        let known = if self.random.chance(60) { self.random.pick(there) } else { None };
        known.unwrap_or_else(|| place.catalog.path(&mut self.random, resource_type))
    }

    /// A path of any type; empty where there is none.
    pub(super) fn any_path(&mut self, place: &Place) -> String {
        match self.random.pick(place.types()) {
            Some(resource_type) => self.path_of(place, &resource_type),
            None => String::new(),
        }
    }

    /// A path to ask about, given the type of what is asked for: as long as that, shorter, longer, of another line, or no
    /// path at all.
    pub(super) fn asked_path(&mut self, place: &Place, resource_type: Option<&String>) -> Option<String> {
        let kind = self.random.below(100);
        let of_type = match resource_type {
            Some(resource_type) => self.path_of(place, resource_type),
            None if kind < 60 => return None,
            None => self.any_path(place),
        };
        let path = match kind {
            0..20 => return None,
            20..65 => of_type,
            65..80 => {
                let steps = segments(&of_type, '/').len() / 2;
                let shorter = segments(&of_type, '/');
                shorter[..2 * self.random.below(steps.max(1))].join("/")
            }
            80..92 => {
                let last = place.catalog.type_of(&of_type);
                match self.random.pick(place.catalog.below(last.as_ref())) {
                    Some(below) if last.is_some() => {
                        let word = &place.catalog.resource_types[&below].plural;
                        format!("{of_type}/{word}/x{}", self.random.below(3))
                    }
                    _ => of_type,
                }
            }
            92..97 => self.any_path(place),
            _ => {
                let broken = ["sites", "sites/", "nothing/x0", "/sites/x0", "sites/x0/rooms", "sites/x0/lines/x0"];
                self.random.pick(broken)?.to_owned()
            }
        };
        (!path.is_empty()).then_some(path)
    }
}
