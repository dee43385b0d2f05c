//! The functions and comprehensions that a condition can call, and what is said of all others.

use cel::common::ast::{CallExpr, Expr, IdedExpr};

use super::{
    MAX_COMPREHENSIONS,
    expression::{Comprehension, ComprehensionKind, Conversion, Expression, Search, Type},
    lower::{Lowering, ROOTS, Typed, root},
    problem::shown,
};

const FUNCTIONS: &str =
    "size, startsWith, endsWith, contains, string, int, double, has, all, exists, exists_one, map and filter";

impl Lowering<'_> {
    pub(super) fn call(&mut self, tree: &IdedExpr, call: &CallExpr) -> Typed {
        match (call.func_name.as_str(), call.target.as_deref(), call.args.as_slice()) {
            ("has", None, [of]) => self.has(tree, of),
            ("size", Some(of), []) | ("size", None, [of]) => {
                let of = self.typed(of, &[Type::Text, Type::List], "size takes");
                (Expression::Convert(Conversion::Size, of.into()), Type::Number)
            }
            ("string", None, [of]) => {
                let of = self.typed(of, &[Type::Text, Type::Number, Type::Bool], "string takes");
                (Expression::Convert(Conversion::Text, of.into()), Type::Text)
            }
            ("int", None, [of]) => {
                let of = self.typed(of, &[Type::Number, Type::Text], "int takes");
                (Expression::Convert(Conversion::Whole, of.into()), Type::Number)
            }
            ("double", None, [of]) => {
                let of = self.typed(of, &[Type::Number, Type::Text], "double takes");
                (Expression::Convert(Conversion::Number, of.into()), Type::Number)
            }
            ("startsWith", Some(of), [what]) => self.search(Search::StartsWith, of, what, "startsWith takes"),
            ("endsWith", Some(of), [what]) => self.search(Search::EndsWith, of, what, "endsWith takes"),
            ("contains", Some(of), [what]) => self.search(Search::Contains, of, what, "contains takes"),
            ("all", Some(of), [name, body]) => self.comprehend(ComprehensionKind::All, of, name, None, body),
            ("exists", Some(of), [name, body]) => self.comprehend(ComprehensionKind::Exists, of, name, None, body),
            ("exists_one" | "existsOne", Some(of), [name, body]) => {
                self.comprehend(ComprehensionKind::ExistsOne, of, name, None, body)
            }
            ("filter", Some(of), [name, body]) => self.comprehend(ComprehensionKind::Filter, of, name, None, body),
            ("map", Some(of), [name, body]) => self.comprehend(ComprehensionKind::Map, of, name, None, body),
            ("map", Some(of), [name, filter, body]) => {
                self.comprehend(ComprehensionKind::Map, of, name, Some(filter), body)
            }
            (name, ..) => {
                let message = match name {
                    "now" | "timestamp" | "duration" => format!("{name}(...): a condition has no clock"),
                    "matches" => "matches(...): a condition has no regular expressions".to_owned(),
                    _ if FUNCTIONS.split([',', ' ']).any(|known| known == name && known != "and") => {
                        format!("{name}(...) called in a way that it has not; expected one such as {}", example(name))
                    }
                    _ => format!("unknown function {}; expected one of {FUNCTIONS}", shown(name)),
                };
                self.wrong(tree, message)
            }
        }
    }

    fn has(&mut self, tree: &IdedExpr, of: &IdedExpr) -> Typed {
        self.count(1);
        if let Expr::Select(select) = &of.expr {
            let name = || select.field.as_str().into();
            match root(&select.operand) {
                Some("facets") => return (Expression::HasFacet(name()), Type::Bool),
                Some("attributes") => return (Expression::HasAttribute(name()), Type::Bool),
                Some(_) => {}
                None => {
                    let of = self.typed(&select.operand, &[], "has takes a field of an attribute's value");
                    return (Expression::HasField(of.into(), name()), Type::Bool);
                }
            }
        }
        self.wrong(tree, "has(...) takes facets.<name>, attributes.<name> or a field of an attribute's value")
    }

    fn search(&mut self, kind: Search, of: &IdedExpr, what: &IdedExpr, taker: &str) -> Typed {
        let (of, what) = (self.typed(of, &[Type::Text], taker), self.typed(what, &[Type::Text], taker));
        (Expression::Search(kind, [of, what].into()), Type::Bool)
    }

    fn comprehend(
        &mut self,
        kind: ComprehensionKind,
        range: &IdedExpr,
        name: &IdedExpr,
        filter: Option<&IdedExpr>,
        body: &IdedExpr,
    ) -> Typed {
        let range = self.typed(range, &[Type::List], "a comprehension takes");
        let local = match &name.expr {
            Expr::Ident(local) if !local.starts_with('.') => local.clone(),
            _ => return self.wrong(name, "expected a name for the element"),
        };
        if ROOTS.contains(&local.as_str()) || self.locals.contains(&local) {
            return self.wrong(name, format_args!("the name {} has a meaning here already", shown(&local)));
        }
        if self.locals.len() >= MAX_COMPREHENSIONS {
            return self.wrong(name, format_args!("comprehensions nested more than {MAX_COMPREHENSIONS} deep"));
        }
        self.count(1);
        self.locals.push(local);
        let filter = filter.map(|filter| self.typed(filter, &[Type::Bool], "the second argument of map is"));
        let (body, of) = match kind {
            ComprehensionKind::Map => (self.lower(body).0, Type::List),
            ComprehensionKind::Filter => (self.typed(body, &[Type::Bool], "the last argument is"), Type::List),
            _ => (self.typed(body, &[Type::Bool], "the last argument is"), Type::Bool),
        };
        self.locals.pop();
        (Expression::Comprehend(Comprehension { kind, range, filter, body }.into()), of)
    }
}

fn example(function: &str) -> &'static str {
    match function {
        "size" => "size(attributes.tags)",
        "string" => "string(attributes.count)",
        "int" => "int(attributes.count)",
        "double" => "double(attributes.count)",
        "startsWith" => "resource.path.startsWith(\"lines/\")",
        "endsWith" => "resource.path.endsWith(\"/c1\")",
        "contains" => "attributes.title.contains(\"urgent\")",
        "has" => "has(attributes.assignee)",
        "map" => "attributes.tags.map(tag, tag + \"!\")",
        "filter" => "attributes.tags.filter(tag, tag != \"\")",
        _ => "attributes.tags.exists(tag, tag == \"vip\")",
    }
}
