//! The words of a scenario file, read strictly: one that is not known, or is no such thing, is a mistake in the file.

use serde_json::Value;

use super::case::Moment;

pub fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("{field} is missing in {value}")).to_owned()
}

pub fn text_if_any(value: &Value, field: &str) -> Option<String> {
    value.get(field).map(|_| text(value, field))
}

pub fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|each| each.as_str().unwrap().to_owned()).collect()
}

pub fn texts_if_any(value: &Value, field: &str) -> Option<Vec<String>> {
    value.get(field).map(texts)
}

pub fn number<N: TryFrom<i64, Error: std::fmt::Debug>>(value: &Value, field: &str) -> N {
    let number = value[field].as_i64().unwrap_or_else(|| panic!("{field} is missing in {value}"));
    N::try_from(number).unwrap()
}

/// Whether it is so; not if nothing is said.
pub fn is(value: &Value, field: &str) -> bool {
    value.get(field).is_some_and(|each| each.as_bool().unwrap_or_else(|| panic!("{field} is no yes or no in {value}")))
}

pub fn moment_if_any(value: &Value, field: &str) -> Option<Moment> {
    let text = text_if_any(value, field)?;
    let Some(seconds) = text.strip_prefix('+') else {
        assert!(text.ends_with('Z') && text.contains('T'), "{text} is no time");
        return Some(Moment::At(text));
    };
    let seconds = seconds.strip_suffix('s').and_then(|number| number.parse().ok());
    Some(Moment::AfterSeconds(seconds.unwrap_or_else(|| panic!("{text} is no number of seconds"))))
}

/// One of a thing, or a list of them.
pub fn one_or_more(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |list| list.iter().collect())
}

/// Panics over a word that the thing does not have.
pub fn only(value: &Value, known: &[&str]) {
    for field in value.as_object().unwrap_or_else(|| panic!("{value} has no words")).keys() {
        assert!(known.contains(&field.as_str()), "{field} is not known in {value}");
    }
}
