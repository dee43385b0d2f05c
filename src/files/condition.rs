//! Conditions in files: the one place that says which texts are conditions.

use crate::model::Condition;

/// Says what is wrong with the text of a condition, as the end of a message about its field.
///
/// # Errors
/// What was given and what was expected, if the text is no condition.
pub fn check_condition(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err(format!("{text:?} was given; expected a condition (no field at all for none)"));
    }
    if text.len() > Condition::MAX_BYTES {
        return Err(format!("{} bytes were given; expected at most {}", text.len(), Condition::MAX_BYTES));
    }
    checked(text)
}

#[cfg(feature = "cel")]
fn checked(text: &str) -> Result<(), String> {
    crate::conditions::check(text).map_err(|error| error.to_string())
}

/// A program without a language of conditions could only deny by them.
#[cfg(not(feature = "cel"))]
fn checked(_text: &str) -> Result<(), String> {
    Err("a condition was given; this program was built without conditions".to_owned())
}
