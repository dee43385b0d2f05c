//! The managed and internal roles of a catalog, and which of them nobody may have both of.

use std::collections::HashSet;

use super::{
    super::{
        account_file::MAX_PARENTS,
        cycles::{self, Links},
        node::{Node, Position, Value, repeated},
        problem::Given,
        read::{MAX_DESCRIPTION_BYTES, Names, Path, Reader, Reference},
        statements::MAX_POLICIES,
    },
    CatalogNames,
    permissions::MAX_PERMISSIONS,
};
use crate::model::{
    CatalogRole, MAX_ROLE_DEPTH, PermissionDefinition, PermissionIndex, PolicyIndex, RoleId, RoleIndex,
};

const MAX_ROLES: usize = 10_000;
const MAX_PAIRS: usize = 1_000;

/// The parents of the roles of a file, by the positions of their names.
pub(super) struct Parents {
    links: Vec<Links>,
    /// Each role after its parents.
    order: Vec<usize>,
}

/// A role before what refers to other roles is read.
struct Draft<'a> {
    /// Its place in the list.
    item: usize,
    /// Whether it is the first of its name.
    is_new: bool,
    role: Option<CatalogRole>,
    internal: bool,
    parents: Option<Node<'a>>,
}

impl Reader<'_> {
    pub(super) fn roles<'a>(
        &mut self,
        node: Option<Node<'a>>,
        path: &Path<'_>,
        names: &mut CatalogNames<'a>,
        permissions: &[Option<PermissionDefinition>],
    ) -> (Vec<CatalogRole>, Parents) {
        let mut drafts = Vec::new();
        for (item, node) in self.list(node, path, MAX_ROLES).into_iter().enumerate() {
            drafts.extend(self.role(item, node, &path.item(item), names, permissions));
        }
        // A role may have a parent that follows later in the file.
        let internal: Vec<bool> = drafts.iter().filter(|draft| draft.is_new).map(|draft| draft.internal).collect();
        let (mut roles, mut links) = (Vec::with_capacity(drafts.len()), Vec::with_capacity(drafts.len()));
        for draft in drafts {
            let path = path.item(draft.item);
            let references = self.references(draft.parents, &path.field("parents"), MAX_PARENTS, &names.roles);
            for Reference { item, to, at } in &references {
                if !draft.internal && internal.get(*to as usize) == Some(&true) {
                    let message = "this is an internal role; expected as a parent in roles with internal: true alone";
                    self.add(*at, &path.field("parents").item(*item), message);
                }
            }
            let mut parents: Vec<RoleIndex> = references.iter().map(|role| RoleIndex(role.to)).collect();
            parents.sort_unstable();
            roles.extend(draft.role.map(|role| CatalogRole { parents, ..role }));
            if draft.is_new {
                links.push(Links { item: draft.item, references });
            }
        }
        let order = self.hierarchy(path, &links, &names.roles);
        (roles, Parents { links, order })
    }

    /// One role, without its parents.
    fn role<'a>(
        &mut self,
        item: usize,
        node: Node<'a>,
        path: &Path<'_>,
        names: &mut CatalogNames<'a>,
        permissions: &[Option<PermissionDefinition>],
    ) -> Option<Draft<'a>> {
        let at = node.at;
        let [id, display_name, description, internal, always_held, max_holders, listed, policies, parents, covers] =
            self.fields(
                node,
                path,
                &[
                    "id",
                    "display_name",
                    "description",
                    "internal",
                    "always_held",
                    "max_holders",
                    "permissions",
                    "policies",
                    "parents",
                    "covers",
                ],
            )?;
        let known = names.roles.len();
        let id = self.declared(id, at, path, RoleId::new, &mut names.roles);
        let display_name = self.display_name(display_name, at, path);
        let description = self.text(description, &path.field("description"), MAX_DESCRIPTION_BYTES);
        let internal = self.flag(internal, &path.field("internal"));
        let always_held_at = always_held.as_ref().map(|node| node.at);
        let always_held = self.flag(always_held, &path.field("always_held"));
        if let Some(at) = always_held_at.filter(|_| always_held && internal) {
            let message = "true was given; expected in roles that are not internal alone";
            self.add(at, &path.field("always_held"), message);
        }
        let max_holders = self.number(max_holders, &path.field("max_holders"));
        let permissions = self.listed(listed, &path.field("permissions"), names, internal, permissions);
        let policies = self.references(policies, &path.field("policies"), MAX_POLICIES, &names.policies);
        let mut policies: Vec<PolicyIndex> = policies.into_iter().map(|policy| PolicyIndex(policy.to)).collect();
        policies.sort_unstable();
        let covers = self.facets(covers, &path.field("covers"), &names.resource_types);
        let role = id.map(|(id, _)| CatalogRole {
            id,
            display_name,
            description,
            internal,
            permissions,
            policies,
            parents: Vec::new(),
            covers: covers.into_iter().map(|(facet, ..)| facet).collect(),
            always_held,
            max_holders,
        });
        Some(Draft { item, is_new: names.roles.len() > known, role, internal, parents })
    }

    /// The permissions that a role lists.
    fn listed(
        &mut self,
        node: Option<Node<'_>>,
        path: &Path<'_>,
        names: &CatalogNames<'_>,
        internal: bool,
        permissions: &[Option<PermissionDefinition>],
    ) -> Vec<PermissionIndex> {
        let mut indexes = Vec::new();
        for Reference { item, to, at } in self.references(node, path, MAX_PERMISSIONS, &names.permissions) {
            let permission = permissions.get(to as usize).and_then(Option::as_ref);
            if let Some(permission) = permission.filter(|permission| permission.internal && !internal) {
                let message = format_args!(
                    "{:?} is an internal permission; expected in roles with internal: true alone",
                    permission.id
                );
                self.add(at, &path.item(item), message);
            }
            indexes.push(PermissionIndex(to));
        }
        indexes.sort_unstable();
        indexes
    }

    /// Complains about roles that are above themselves, or too far below another. Gives each role after its parents.
    fn hierarchy(&mut self, path: &Path<'_>, links: &[Links], names: &Names<'_>) -> Vec<usize> {
        let ids = names.in_order();
        let mut is_cyclic = false;
        let order = cycles::walk(links, |from, reference, cycle| {
            is_cyclic = true;
            let message = format_args!("roles are parents of each other in a cycle: {}", cycle.shown(&ids));
            self.add(reference.at, &path.item(from.item).field("parents").item(reference.item), message);
        });
        if is_cyclic {
            return order;
        }
        let depths = cycles::depths(links, &order);
        let depth = |role: u32| depths.get(role as usize).copied().unwrap_or_default();
        for (role, own) in links.iter().zip(&depths) {
            // Roles below are too deep because of the first that is.
            let deepest = role.references.iter().find(|parent| depth(parent.to) == MAX_ROLE_DEPTH);
            if let Some(parent) = deepest.filter(|_| *own == MAX_ROLE_DEPTH + 1) {
                let message =
                    format_args!("there are {own} steps to the furthest parent; expected at most {MAX_ROLE_DEPTH}");
                self.add(parent.at, &path.item(role.item).field("parents").item(parent.item), message);
            }
        }
        order
    }

    /// Pairs of roles, the lower position first, and complaints about roles that have both by themselves.
    pub(super) fn mutually_exclusive(
        &mut self,
        node: Option<Node<'_>>,
        path: &Path<'_>,
        names: &Names<'_>,
        parents: &Parents,
    ) -> Vec<(RoleIndex, RoleIndex)> {
        let mut pairs: Vec<((u32, u32), Position)> = Vec::new();
        for (index, item) in self.list(node, path, MAX_PAIRS).into_iter().enumerate() {
            let (at, path) = (item.at, path.item(index));
            let is_list = matches!(item.value, Value::Sequence(_));
            let items = self.list(Some(item), &path, usize::MAX);
            let given = items.len();
            // One role twice is reported as such.
            let texts = self.texts(items, &path).into_iter();
            let roles = texts.filter_map(|(item, text, at)| self.reference(&text, at, &path.item(item), names));
            let roles: Vec<u32> = roles.collect();
            match roles[..] {
                [one, other] if given == 2 && one != other => pairs.push(((one.min(other), one.max(other)), at)),
                _ if given != 2 && is_list => {
                    self.add(at, &path, format_args!("{given} entries were given; expected two roles"));
                }
                _ => {}
            }
        }
        let ids = names.in_order();
        let id = |role: u32| Given(ids.get(role as usize).copied().unwrap_or_default());
        for (at, (one, other), first) in repeated(pairs.iter().copied()) {
            self.add(at, path, format_args!("{} and {} are listed twice; first at {first}", id(one), id(other)));
        }
        let mut known = HashSet::new();
        pairs.retain(|(pair, _)| known.insert(*pair));
        self.not_both(&pairs, &ids, parents);
        pairs.into_iter().map(|((one, other), _)| (RoleIndex(one), RoleIndex(other))).collect()
    }

    /// Complains about roles that reach both roles of a pair: whoever held one could not hold it. Linear in the parents
    /// times the pairs.
    fn not_both(&mut self, pairs: &[((u32, u32), Position)], ids: &[&str], parents: &Parents) {
        // For each role one bit for each role of a pair that it reaches: of pair n, 2n and 2n+1.
        let words = (2 * pairs.len()).div_ceil(64);
        let mut reached = vec![vec![0_u64; words]; if pairs.is_empty() { 0 } else { parents.links.len() }];
        for (index, ((one, other), _)) in pairs.iter().enumerate() {
            for (role, bit) in [(*one, 2 * index), (*other, 2 * index + 1)] {
                if let Some(word) = reached.get_mut(role as usize).and_then(|bits| bits.get_mut(bit / 64)) {
                    *word |= 1 << (bit % 64);
                }
            }
        }
        let path = Path::Root;
        let path = path.field("roles");
        for index in &parents.order {
            let Some(links) = parents.links.get(*index) else { continue };
            let Some(mut bits) = reached.get_mut(*index).map(std::mem::take) else { continue };
            // What a parent has both of is reported there.
            let mut both_above = vec![0_u64; words];
            for parent in &links.references {
                let above = reached.get(parent.to as usize).map(Vec::as_slice).unwrap_or_default();
                for ((word, both), above) in bits.iter_mut().zip(&mut both_above).zip(above) {
                    *word |= above;
                    *both |= above & (above >> 1);
                }
            }
            for (place, (word, both_above)) in bits.iter().zip(&both_above).enumerate() {
                // Pairs never straddle words; only even bits can be the first of a pair.
                let mut both = word & (word >> 1) & 0x5555_5555_5555_5555 & !both_above;
                while both != 0 {
                    let pair = (64 * place + both.trailing_zeros() as usize) / 2;
                    both &= both - 1;
                    let Some(((one, other), at)) = pairs.get(pair) else { continue };
                    let id = |role: usize| Given(ids.get(role).copied().unwrap_or_default());
                    let at_parents = links.references.first().map_or(*at, |parent| parent.at);
                    let message = format_args!(
                        "{} has both {} and {} through its parents, and they are mutually exclusive by {at}",
                        id(*index),
                        id(*one as usize),
                        id(*other as usize),
                    );
                    self.add(at_parents, &path.item(links.item).field("parents"), message);
                }
            }
            if let Some(own) = reached.get_mut(*index) {
                *own = bits;
            }
        }
    }
}
