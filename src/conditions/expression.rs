//! A condition as it is evaluated: checked, with every name resolved.
//!
//! Its depth and its size are bounded by [`super::check`], so that whatever recurses over it is bounded too.

/// An expression.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    Null,
    Bool(bool),
    /// Always finite.
    Number(f64),
    Text(Box<str>),
    List(Vec<Expression>),
    /// `subject.id`.
    Subject,
    /// `resource.path`.
    Path,
    /// `facets.<name>`.
    Facet(Box<str>),
    HasFacet(Box<str>),
    /// `attributes.<name>`.
    Attribute(Box<str>),
    HasAttribute(Box<str>),
    /// The variable of a comprehension, counted from the outermost.
    Local(usize),
    /// `a.name` and `has(a.name)`.
    Field(Box<Expression>, Box<str>),
    HasField(Box<Expression>, Box<str>),
    /// `a[b]`.
    Index(Box<[Expression; 2]>),
    Not(Box<Expression>),
    Negate(Box<Expression>),
    /// `a && b && c`.
    And(Vec<Expression>),
    /// `a || b || c`.
    Or(Vec<Expression>),
    /// `a ? b : c`.
    If(Box<[Expression; 3]>),
    /// `a == b` (true) and `a != b` (false).
    Equal(Box<[Expression; 2]>, bool),
    Compare(Comparison, Box<[Expression; 2]>),
    Calculate(Arithmetic, Box<[Expression; 2]>),
    /// `a in b`.
    In(Box<[Expression; 2]>),
    Convert(Conversion, Box<Expression>),
    Search(Search, Box<[Expression; 2]>),
    Comprehend(Box<Comprehension>),
}

/// The order of two numbers or of two texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
}

/// Calculations with two numbers; `Add` joins texts and lists too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// Functions of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conversion {
    Size,
    Text,
    Whole,
    Number,
}

/// Functions that look for one text in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    StartsWith,
    EndsWith,
    Contains,
}

/// The kinds of comprehensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ComprehensionKind {
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
}

/// Something done for each element of a list or each key of a map.
#[derive(Clone, Debug)]
pub(super) struct Comprehension {
    pub(super) kind: ComprehensionKind,
    pub(super) range: Expression,
    /// Of `map` with three arguments: which elements.
    pub(super) filter: Option<Expression>,
    pub(super) body: Expression,
}

/// What is known of a value before it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// Nothing: an attribute, or something taken from one.
    Unknown,
    Null,
    Bool,
    Number,
    Text,
    List,
}

impl Type {
    /// Its name in a message.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unknown => "an attribute's value",
            Self::Null => "null",
            Self::Bool => "true or false",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::List => "a list",
        }
    }

    /// Whether a value of this type can be of one of these.
    pub(super) fn can_be(self, expected: &[Self]) -> bool {
        self == Self::Unknown || expected.contains(&self)
    }
}
