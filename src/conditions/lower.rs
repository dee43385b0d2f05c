//! From the parser's tree to an [`Expression`]: resolves names, checks types as far as they can be told, counts.
//!
//! The parser is asked to leave the macros (`has`, `all`, `exists`...) as the calls that they are written as. What is
//! wrong becomes a problem and an expression of unknown type, so that one mistake is told once. Read [`Lowering::lower`]
//! first; functions are in `calls`.

use cel::common::ast::{Expr, IdedExpr, LiteralValue, SelectExpr, SourceInfo, operators};

use super::{
    MAX_DEPTH, MAX_NODES,
    expression::{Arithmetic, Comparison, Expression, Type},
    problem::{Place, Problems, shown},
};

/// The largest whole number that a literal can be: all up to it are exact.
pub(super) const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;

/// The names that a condition begins with.
pub(super) const ROOTS: [&str; 4] = ["subject", "resource", "facets", "attributes"];

const WHAT_IT_SEES: &str = "a condition sees subject.id, resource.path, facets.<name> and attributes.<name>";

/// An expression and what is known of its value.
pub(super) type Typed = (Expression, Type);

/// What stands for an expression that is wrong.
pub(super) const WRONG: Typed = (Expression::Null, Type::Unknown);

pub(super) struct Lowering<'a> {
    pub(super) source: &'a SourceInfo,
    pub(super) problems: Problems,
    /// The variables of the comprehensions around.
    pub(super) locals: Vec<String>,
    pub(super) nodes: usize,
    pub(super) depth: usize,
}

impl Lowering<'_> {
    /// Where an expression stands: for an operator its sign, for a call its bracket.
    pub(super) fn place(&self, of: &IdedExpr) -> Place {
        let (start, _) = self.source.offset_for(of.id).unwrap_or_default();
        Place::after(&self.source.source, usize::try_from(start).unwrap_or_default())
    }

    pub(super) fn wrong(&mut self, at: &IdedExpr, message: impl std::fmt::Display) -> Typed {
        self.problems.add(self.place(at), message);
        WRONG
    }

    /// Counts what is written, whether or not it becomes an expression of its own.
    pub(super) fn count(&mut self, more: usize) {
        let before = self.nodes;
        self.nodes = self.nodes.saturating_add(more);
        if before <= MAX_NODES && self.nodes > MAX_NODES {
            self.problems.add(Place::START, format_args!("more than {MAX_NODES} values, names and operators"));
        }
    }

    pub(super) fn lower(&mut self, tree: &IdedExpr) -> Typed {
        self.count(1);
        if self.nodes > MAX_NODES {
            return WRONG;
        }
        if self.depth >= MAX_DEPTH {
            return self.wrong(tree, format_args!("nested more than {MAX_DEPTH} deep"));
        }
        self.depth += 1;
        let lowered = self.lower_here(tree);
        self.depth -= 1;
        lowered
    }

    fn lower_here(&mut self, tree: &IdedExpr) -> Typed {
        match &tree.expr {
            Expr::Literal(literal) => self.literal(tree, literal),
            Expr::Ident(name) => self.name(tree, name),
            Expr::Select(select) => self.select(tree, select),
            Expr::List(list) => (Expression::List(list.elements.iter().map(|e| self.lower(e).0).collect()), Type::List),
            Expr::Call(call) => match (call.func_name.as_str(), &call.target, call.args.as_slice()) {
                (operators::LOGICAL_AND | operators::LOGICAL_OR, None, _) => self.logic(tree, &call.func_name),
                (operators::INDEX, None, [of, at]) => self.index(tree, of, at),
                (name, None, [operand]) if name == operators::LOGICAL_NOT => {
                    let operand = self.typed(operand, &[Type::Bool], "! takes");
                    (Expression::Not(operand.into()), Type::Bool)
                }
                (name, None, [operand]) if name == operators::NEGATE => {
                    let operand = self.typed(operand, &[Type::Number], "- takes");
                    (Expression::Negate(operand.into()), Type::Number)
                }
                (name, None, [condition, then, otherwise]) if name == operators::CONDITIONAL => {
                    let condition = self.typed(condition, &[Type::Bool], "? takes");
                    let (then, otherwise) = (self.lower(then), self.lower(otherwise));
                    let of = if then.1 == otherwise.1 { then.1 } else { Type::Unknown };
                    if of == Type::Unknown && then.1 != Type::Unknown && otherwise.1 != Type::Unknown {
                        let (then, otherwise) = (then.1.name(), otherwise.1.name());
                        return self.wrong(tree, format_args!("? : of {then} and {otherwise}; expected two of a kind"));
                    }
                    (Expression::If([condition, then.0, otherwise.0].into()), of)
                }
                (name, None, [left, right]) if name.starts_with('_') || name == operators::IN => {
                    self.binary(tree, name, left, right)
                }
                _ => self.call(tree, call),
            },
            Expr::Map(_) | Expr::Struct(_) => self.wrong(tree, "a map in braces; maps can only come from attributes"),
            Expr::Comprehension(_) | Expr::Unspecified => self.wrong(tree, "no expression"),
        }
    }

    /// Lowers what has to be of one of these types.
    pub(super) fn typed(&mut self, tree: &IdedExpr, expected: &[Type], taker: &str) -> Expression {
        let (expression, found) = self.lower(tree);
        if !found.can_be(expected) {
            let names: Vec<_> = expected.iter().map(|one| one.name()).collect();
            let space = if names.is_empty() { "" } else { " " };
            self.wrong(tree, format_args!("{taker}{space}{}; this is {}", names.join(" or "), found.name()));
        }
        expression
    }

    fn literal(&mut self, tree: &IdedExpr, literal: &LiteralValue) -> Typed {
        let number = match literal {
            LiteralValue::Null => return (Expression::Null, Type::Null),
            LiteralValue::Boolean(value) => return (Expression::Bool(*value.inner()), Type::Bool),
            LiteralValue::String(text) => return (Expression::Text(text.inner().into()), Type::Text),
            // Exact below the limit, and far enough from it above.
            #[expect(clippy::cast_precision_loss, reason = "what would not be exact is refused below")]
            LiteralValue::Int(number) => Some(*number.inner() as f64).filter(|number| number.abs() < MAX_WHOLE),
            LiteralValue::Double(number) => Some(*number.inner()).filter(|number| number.is_finite()),
            LiteralValue::UInt(_) => return self.wrong(tree, "a number that ends in u; write it without"),
            LiteralValue::Bytes(_) => return self.wrong(tree, "bytes; expected a text"),
        };
        match number {
            Some(number) => (Expression::Number(number), Type::Number),
            None => self.wrong(tree, "a number too large; expected one between -(2^53 - 1) and 2^53 - 1"),
        }
    }

    fn name(&mut self, tree: &IdedExpr, name: &str) -> Typed {
        if let Some(local) = self.locals.iter().position(|local| local == name) {
            return (Expression::Local(local), Type::Unknown);
        }
        let given = shown(name);
        if ROOTS.contains(&name) {
            self.wrong(tree, format_args!("{given} as a whole; {WHAT_IT_SEES}"))
        } else {
            self.wrong(tree, format_args!("unknown name {given}; {WHAT_IT_SEES}"))
        }
    }

    fn select(&mut self, tree: &IdedExpr, select: &SelectExpr) -> Typed {
        if let Some(root) = root(&select.operand) {
            return self.seen(tree, root, &select.field);
        }
        let operand = self.typed(&select.operand, &[], "a field is taken from an attribute's value");
        (Expression::Field(operand.into(), select.field.as_str().into()), Type::Unknown)
    }

    /// `root.name`.
    fn seen(&mut self, tree: &IdedExpr, root: &str, name: &str) -> Typed {
        match (root, name) {
            ("subject", "id") => (Expression::Subject, Type::Text),
            ("resource", "path") => (Expression::Path, Type::Text),
            ("facets", _) => (Expression::Facet(name.into()), Type::Text),
            ("attributes", _) => (Expression::Attribute(name.into()), Type::Unknown),
            _ => self.wrong(tree, format_args!("unknown name {root}.{}; {WHAT_IT_SEES}", shown(name))),
        }
    }

    fn index(&mut self, tree: &IdedExpr, of: &IdedExpr, at: &IdedExpr) -> Typed {
        if let Some(root) = root(of) {
            return match literal_text(at) {
                Some(name) => self.seen(tree, root, name),
                None => self.wrong(tree, format_args!("{root}[...] takes a text literal")),
            };
        }
        let of = self.typed(of, &[Type::List], "[ ] takes");
        let at = self.typed(at, &[Type::Number, Type::Text], "an index is");
        (Expression::Index([of, at].into()), Type::Unknown)
    }

    /// `a && b && c`, which the parser makes a tree of pairs.
    fn logic(&mut self, tree: &IdedExpr, operator: &str) -> Typed {
        let mut operands = Vec::new();
        let mut left = vec![tree];
        while let Some(next) = left.pop() {
            match &next.expr {
                Expr::Call(call) if call.func_name == operator && call.target.is_none() => {
                    left.extend(call.args.iter().rev());
                }
                _ => operands.push(next),
            }
        }
        let sign = if operator == operators::LOGICAL_AND { "&&" } else { "||" };
        self.count(operands.len().saturating_sub(2));
        let operands = operands.into_iter().map(|one| self.typed(one, &[Type::Bool], &format!("{sign} takes")));
        let operands: Vec<_> = operands.collect();
        if sign == "&&" { (Expression::And(operands), Type::Bool) } else { (Expression::Or(operands), Type::Bool) }
    }

    fn binary(&mut self, tree: &IdedExpr, operator: &str, left: &IdedExpr, right: &IdedExpr) -> Typed {
        if operator == operators::IN
            && let Some(root @ ("facets" | "attributes")) = root(right)
        {
            return match (literal_text(left), root) {
                (Some(name), "facets") => (Expression::HasFacet(name.into()), Type::Bool),
                (Some(name), _) => (Expression::HasAttribute(name.into()), Type::Bool),
                (None, _) => self.wrong(tree, format_args!("in {root} takes a text literal")),
            };
        }
        let ((left, a), (right, b)) = (self.lower(left), self.lower(right));
        let both = |kinds: &[Type]| kinds.iter().any(|kind| a.can_be(&[*kind]) && b.can_be(&[*kind]));
        let pair = Box::new([left, right]);
        let same = [Type::Null, Type::Bool, Type::Number, Type::Text, Type::List];
        let (fits, expected, lowered) = match operator {
            operators::EQUALS => (both(&same), "two of a kind", (Expression::Equal(pair, true), Type::Bool)),
            operators::NOT_EQUALS => (both(&same), "two of a kind", (Expression::Equal(pair, false), Type::Bool)),
            operators::IN => (b.can_be(&[Type::List]), "a list to look in", (Expression::In(pair), Type::Bool)),
            operators::ADD => {
                let sum = if a == Type::Unknown { b } else { a };
                let fits = both(&[Type::Number, Type::Text, Type::List]);
                let lowered = (Expression::Calculate(Arithmetic::Add, pair), sum);
                (fits, "two numbers, two texts or two lists", lowered)
            }
            _ => {
                if let Some(kind) = arithmetic(operator) {
                    let lowered = (Expression::Calculate(kind, pair), Type::Number);
                    (both(&[Type::Number]), "two numbers", lowered)
                } else if let Some(kind) = comparison(operator) {
                    let lowered = (Expression::Compare(kind, pair), Type::Bool);
                    (both(&[Type::Number, Type::Text]), "two numbers or two texts", lowered)
                } else {
                    return self.wrong(tree, format_args!("unknown operator {}", shown(operator)));
                }
            }
        };
        if fits {
            return lowered;
        }
        let sign = operator.trim_matches(['_', '@']);
        self.wrong(tree, format_args!("{sign} of {} and {}; expected {expected}", a.name(), b.name()))
    }
}

/// The name that `subject`, `facets`... begin with. Variables cannot have these names.
pub(super) fn root(tree: &IdedExpr) -> Option<&'static str> {
    match &tree.expr {
        Expr::Ident(name) => ROOTS.into_iter().find(|root| root == name),
        _ => None,
    }
}

fn literal_text(tree: &IdedExpr) -> Option<&str> {
    match &tree.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

fn arithmetic(operator: &str) -> Option<Arithmetic> {
    match operator {
        operators::SUBSTRACT => Some(Arithmetic::Subtract),
        operators::MULTIPLY => Some(Arithmetic::Multiply),
        operators::DIVIDE => Some(Arithmetic::Divide),
        operators::MODULO => Some(Arithmetic::Remainder),
        _ => None,
    }
}

fn comparison(operator: &str) -> Option<Comparison> {
    match operator {
        operators::LESS => Some(Comparison::Less),
        operators::LESS_EQUALS => Some(Comparison::AtMost),
        operators::GREATER => Some(Comparison::More),
        operators::GREATER_EQUALS => Some(Comparison::AtLeast),
        _ => None,
    }
}
