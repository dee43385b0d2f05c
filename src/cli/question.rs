//! What a question may say besides who and what: the resource, the values of facets, and attributes for conditions.
//!
//! `check`, `who-can` and `where-can` take the same flags. Start with [`PlaceArgs`].

use std::collections::{BTreeMap, HashMap};

use clap::Args;
use serde_json::Value;

use super::{Exit, Failure};

/// Where a question is asked.
#[derive(Args, Clone, Debug, Default)]
pub struct PlaceArgs {
    /// What it is about, as a path below the account, such as lines/l1; left out: everything
    #[arg(long, value_name = "PATH", default_value = "", hide_default_value = true)]
    pub resource: String,

    #[command(flatten)]
    pub detail: DetailArgs,
}

/// What a question says besides the resource.
#[derive(Args, Clone, Debug, Default)]
pub struct DetailArgs {
    /// The value of a facet that the resource does not name, such as line=lines/l1; may be repeated
    #[arg(long = "facet", value_name = "NAME=VALUE", value_parser = pair)]
    facets: Vec<(String, String)>,

    /// An attribute that conditions look at, as JSON or else as text, such as assignee=ana; may be repeated
    #[arg(long = "attribute", value_name = "NAME=VALUE", value_parser = pair)]
    attributes: Vec<(String, String)>,
}

impl DetailArgs {
    /// The facets as requests say them.
    ///
    /// # Errors
    /// [`Exit::Usage`] if one is given twice.
    pub fn facets(&self) -> Result<HashMap<String, String>, Failure> {
        once(&self.facets, "facet", str::to_owned).map(HashMap::from_iter)
    }

    /// The attributes as requests say them; none: no attributes at all. The type of a value is that of the request.
    ///
    /// # Errors
    /// [`Exit::Usage`] if one is given twice.
    pub fn attributes<V>(&self) -> Result<Option<BTreeMap<String, V>>, Failure>
    where
        V: Default + From<bool> + From<f64> + From<String> + From<Vec<V>> + From<BTreeMap<String, V>>,
    {
        let attributes = once(&self.attributes, "attribute", |text| {
            value(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())))
        })?;
        Ok(Some(attributes).filter(|attributes| !attributes.is_empty()))
    }
}

/// Sets the fields of a request that the flags are about.
macro_rules! fill {
    ($request:ident, $detail:expr) => {
        $request.facets = $detail.facets()?;
        if let Some(attributes) = $detail.attributes()? {
            $request.attributes.get_or_insert_default().fields = attributes;
        }
    };
}
pub(super) use fill;

fn once<T>(given: &[(String, String)], what: &str, read: impl Fn(&str) -> T) -> Result<BTreeMap<String, T>, Failure> {
    let mut read_once = BTreeMap::new();
    for (name, text) in given {
        if read_once.insert(name.clone(), read(text)).is_some() {
            return Err(Failure::new(Exit::Usage, format!("--{what} {name} is given twice; give each name once")));
        }
    }
    Ok(read_once)
}

/// JSON as the API has it: a null is a value without anything.
fn value<V>(json: Value) -> V
where
    V: Default + From<bool> + From<f64> + From<String> + From<Vec<V>> + From<BTreeMap<String, V>>,
{
    match json {
        Value::Null => V::default(),
        Value::Bool(bool) => bool.into(),
        Value::Number(number) => number.as_f64().unwrap_or(f64::NAN).into(),
        Value::String(text) => text.into(),
        Value::Array(items) => items.into_iter().map(value).collect::<Vec<V>>().into(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, json)| (name, value(json))).collect::<BTreeMap<String, V>>().into()
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::CheckRequest;

    fn pairs(texts: &[&str]) -> Vec<(String, String)> {
        texts.iter().map(|text| pair(text).unwrap()).collect()
    }

    fn filled(facets: &[&str], attributes: &[&str]) -> Result<CheckRequest, Failure> {
        let detail = DetailArgs { facets: pairs(facets), attributes: pairs(attributes) };
        let mut request = CheckRequest::default();
        fill!(request, detail);
        Ok(request)
    }

    #[test]
    fn an_attribute_is_json_where_it_can_be_and_text_where_it_cannot() {
        let request =
            filled(&[], &["n=4.5", "who=ana", "quoted=\"4\"", "list=[true, null]", "map={\"a\": \"b\"}", "e="]);
        let attributes = request.unwrap().attributes.unwrap().fields;
        assert_eq!(attributes["n"], 4.5.into());
        assert_eq!(attributes["who"], "ana".into());
        assert_eq!(attributes["quoted"], "4".into());
        assert_eq!(attributes["list"], vec![true.into(), Default::default()].into());
        assert_eq!(attributes["map"], BTreeMap::from([("a".to_owned(), "b".into())]).into());
        assert_eq!(attributes["e"], "".into());
        assert!(filled(&[], &[]).unwrap().attributes.is_none());
    }

    #[test]
    fn a_name_is_given_once() {
        let request = filled(&["line=lines/l1", "queue=queues/a=b"], &[]).unwrap();
        assert_eq!(request.facets["queue"], "queues/a=b");
        assert_eq!(filled(&["line=lines/l1", "line=lines/l2"], &[]).unwrap_err().exit, Exit::Usage);
        assert_eq!(filled(&[], &["a=1", "a=1"]).unwrap_err().exit, Exit::Usage);
        assert!(pair("line").is_err() && pair("=x").is_err());
    }
}
