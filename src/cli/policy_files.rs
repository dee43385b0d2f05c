//! The files that say what an access policy is: `display_name`, `description` and `statements`, in YAML or JSON, as in
//! account files.
//!
//! They are read by the reader of account files, as the one policy of an account that has nothing else; so every problem
//! is found, and told with its line and column. Start with [`read`].

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use serde::Serialize;

use super::{Exit, Failure, session::count};
use crate::{
    files::{self, Problem, StatementDefinition},
    model::Effect as ModelEffect,
    proto::{AccessPolicy, PolicyStatement, policy_statement::Effect},
};

/// Reads a file, or standard input for `-`. `id` is what messages call the policy.
///
/// # Errors
/// [`Exit::Input`] if it cannot be read, [`Exit::Data`] with every problem if it is wrong.
pub fn read(path: &Path, id: &str) -> Result<AccessPolicy, Failure> {
    let is_input = path == Path::new("-");
    let label = if is_input { "(standard input)".to_owned() } else { path.display().to_string() };
    let mut text = String::new();
    let read = if is_input {
        io::stdin().read_to_string(&mut text).map(drop)
    } else {
        fs::read_to_string(path).map(|all| text = all)
    };
    read.map_err(|error| Failure::new(Exit::Input, format!("cannot read {label}: {error}")))?;
    parse(&text, id).map_err(|problems| {
        let message = format!("{} in {label}; nothing was changed", count(problems.len(), "problem"));
        let mut failure = Failure::new(Exit::Data, message)
            .with_next("expected display_name, description and statements, as docs/files.md says for policies");
        failure.details = problems.iter().map(|problem| format!("{label}:{problem}")).collect();
        failure
    })
}

/// The same text within an account file. Lines and columns are further down and to the right by the same everywhere.
struct Wrapped {
    text: String,
    lines: u32,
    columns: u32,
}

impl Wrapped {
    fn new(text: &str, id: &str) -> Self {
        let head = "kind: account\nid: a\ncatalog: c\npolicies:\n";
        // The id is quoted as JSON, which is YAML.
        let id = serde_json::Value::from(id);
        let text = text.trim_start_matches('\u{feff}');
        let (first, indent, body, end) = match text.trim_start().strip_prefix('{') {
            // As in JSON: its first brace becomes that of the line before.
            Some(_) => (format!("  [{{\"id\": {id},\n"), 3, text.replacen('{', " ", 1), "\n   ]"),
            None => (format!("  - id: {id}\n"), 4, text.to_owned(), ""),
        };
        let lines: Vec<_> = body.lines().map(|line| format!("{:indent$}{line}", "")).collect();
        let above = format!("{head}{first}");
        Self {
            lines: u32::try_from(above.lines().count()).unwrap_or_default(),
            columns: u32::try_from(indent).unwrap_or_default(),
            text: format!("{above}{}{end}\n", lines.join("\n")),
        }
    }

    /// A problem as one of the text that was wrapped.
    fn unwrapped(&self, problem: &Problem) -> Problem {
        Problem {
            line: problem.line.saturating_sub(self.lines).max(1),
            column: problem.column.saturating_sub(self.columns).max(1),
            message: problem.message.replace("policies[0].", "").replace("policies[0]: ", ""),
        }
    }
}

fn parse(text: &str, id: &str) -> Result<AccessPolicy, Vec<Problem>> {
    let wrapped = Wrapped::new(text, id);
    let account = files::parse_account(wrapped.text.as_bytes())
        .map_err(|problems| problems.iter().map(|problem| wrapped.unwrapped(problem)).collect::<Vec<_>>())?;
    let [policy] = account.policies.as_slice() else {
        return Err(vec![Problem { line: 1, column: 1, message: "expected one access policy".to_owned() }]);
    };
    Ok(AccessPolicy {
        display_name: policy.display_name.clone(),
        description: policy.description.clone(),
        statements: policy.statements.iter().map(statement).collect(),
        ..AccessPolicy::default()
    })
}

fn statement(definition: &StatementDefinition) -> PolicyStatement {
    let effect = match definition.effect {
        ModelEffect::Allow => Effect::Allow,
        ModelEffect::Deny => Effect::Deny,
    };
    PolicyStatement {
        effect: effect.into(),
        permissions: definition.permissions.iter().map(|pattern| pattern.value.as_str().to_owned()).collect(),
        resources: definition.resources.iter().map(|pattern| pattern.value.as_str().to_owned()).collect(),
        condition: definition.condition.as_ref().map(|it| it.value.as_str().to_owned()).unwrap_or_default(),
    }
}

/// A policy as [`read`] reads it.
#[derive(Serialize)]
pub struct PolicyFile<'a> {
    display_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    statements: Vec<StatementFile<'a>>,
}

#[derive(Serialize)]
struct StatementFile<'a> {
    effect: &'static str,
    permissions: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    resources: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    condition: &'a str,
}

impl<'a> From<&'a AccessPolicy> for PolicyFile<'a> {
    fn from(policy: &'a AccessPolicy) -> Self {
        let statement = |statement: &'a PolicyStatement| StatementFile {
            effect: effect_of(statement),
            permissions: &statement.permissions,
            resources: &statement.resources,
            condition: &statement.condition,
        };
        Self {
            display_name: &policy.display_name,
            description: &policy.description,
            statements: policy.statements.iter().map(statement).collect(),
        }
    }
}

/// What a statement does, as files write it.
pub fn effect_of(statement: &PolicyStatement) -> &'static str {
    match statement.effect() {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
        Effect::Unspecified => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "# no exports\ndisplay_name: No exports\nstatements:\n  - effect: deny\n    permissions: [\"data.**\"]\n    \
        resources: [lines/l1]\n    condition: attributes.night == true\n";

    fn problems(text: &str) -> Vec<String> {
        parse(text, "p").unwrap_err().iter().map(Problem::to_string).collect()
    }

    #[test]
    fn a_policy_is_the_same_in_yaml_and_in_json() {
        let policy = parse(YAML, "p").unwrap();
        assert_eq!(policy.display_name, "No exports");
        assert_eq!(policy.statements[0].effect(), Effect::Deny);
        assert_eq!(policy.statements[0].condition, "attributes.night == true");
        let json = "{\n  \"display_name\": \"No exports\",\n  \"statements\": [{\"effect\": \"deny\", \"permissions\": \
            [\"data.**\"],\n\"resources\": [\"lines/l1\"], \"condition\": \"attributes.night == true\"}]\n}\n";
        assert_eq!(parse(json, "p").unwrap(), policy);
        let compact = serde_json::to_string(&PolicyFile::from(&policy)).unwrap();
        assert_eq!(parse(&compact, "p").unwrap(), policy);
    }

    #[test]
    fn what_is_shown_as_a_file_is_read_back() {
        let policy = parse(YAML, "p").unwrap();
        let file = serde_saphyr::to_string(&PolicyFile::from(&policy)).unwrap();
        assert_eq!(parse(&file, "p").unwrap(), policy);
    }

    #[test]
    fn a_problem_is_told_where_it_is_in_the_file_that_was_given() {
        let wrong = YAML.replace("deny", "forbid");
        assert!(problems(&wrong)[0].starts_with("4:13: statements[0].effect: \"forbid\""), "{:?}", problems(&wrong));
        let json = "{\n  \"display_name\": \"x\",\n  \"colour\": \"red\",\n  \"statements\": [{\"effect\": \"deny\", \
            \"permissions\": [\"a.b\"]}]}";
        assert!(problems(json)[0].starts_with("3:3: unknown field \"colour\""), "{:?}", problems(json));
        assert!(problems("statements: []\n").len() >= 2);
    }

    #[test]
    fn a_file_is_one_policy_and_nothing_else() {
        for text in ["", "[]", "x", "display_name: x", "  - id: q\n", "{", "}", "{}", "- a\n- b\n"] {
            assert!(!problems(text).is_empty(), "{text}");
        }
        // Less indented than the policy, it would be something of the account around it.
        let escaped = format!("{YAML}users:\n  - id: ana\n");
        assert!(problems(&escaped)[0].contains("unknown field \"users\""), "{:?}", problems(&escaped));
        assert!(!problems("{\"display_name\": \"x\"}, {\"id\": \"y\"}").is_empty());
        assert!(!problems("{\"display_name\": \"x\"}]\nusers: [{\"id\": \"ana\"}").is_empty());
    }
}
