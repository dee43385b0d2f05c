//! Evaluates comprehensions: something done for each element of a list or each key of a map.

use super::{
    evaluate::{Evaluated, Evaluation},
    expression::{Comprehension, ComprehensionKind, Expression},
    value::{Stop, Value},
};

/// Whether the next element is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum GoOn {
    Yes,
    No,
}

impl<'a> Evaluation<'a> {
    pub(super) fn comprehend(&mut self, comprehension: &'a Comprehension) -> Evaluated<'a> {
        let range = self.evaluate(&comprehension.range)?;
        let body = &comprehension.body;
        match comprehension.kind {
            ComprehensionKind::All => self.fold(&range, body, false),
            ComprehensionKind::Exists => self.fold(&range, body, true),
            ComprehensionKind::ExistsOne => {
                let mut found = 0_usize;
                self.each(&range, |evaluation, _| {
                    found += usize::from(evaluation.holds(body)?);
                    Ok(GoOn::Yes)
                })?;
                Ok(Value::Bool(found == 1))
            }
            ComprehensionKind::Filter => {
                let mut kept = Vec::new();
                self.each(&range, |evaluation, element| {
                    if evaluation.holds(body)? {
                        kept.push(element);
                    }
                    Ok(GoOn::Yes)
                })?;
                Ok(Value::NewList(kept.into()))
            }
            ComprehensionKind::Map => {
                let mut made = Vec::new();
                self.each(&range, |evaluation, _| {
                    let wanted = comprehension.filter.as_ref().map_or(Ok(true), |filter| evaluation.holds(filter))?;
                    if wanted {
                        made.push(evaluation.evaluate(body)?);
                    }
                    Ok(GoOn::Yes)
                })?;
                Ok(Value::NewList(made.into()))
            }
        }
    }

    /// `all` (decided by false) and `exists` (decided by true): an element that decides does so whatever errors stand
    /// before or after it.
    fn fold(&mut self, range: &Value<'a>, body: &'a Expression, decides: bool) -> Evaluated<'a> {
        let mut result = Ok(Value::Bool(!decides));
        self.each(range, |evaluation, _| {
            match evaluation.holds(body) {
                Ok(value) if value == decides => {
                    result = Ok(Value::Bool(decides));
                    return Ok(GoOn::No);
                }
                Ok(_) => {}
                Err(Stop::Error) => result = Err(Stop::Error),
                Err(Stop::Spent) => return Err(Stop::Spent),
            }
            Ok(GoOn::Yes)
        })?;
        result
    }

    /// Does something with each element, as the innermost variable, until it is enough.
    fn each(
        &mut self,
        range: &Value<'a>,
        mut act: impl FnMut(&mut Self, Value<'a>) -> Result<GoOn, Stop>,
    ) -> Result<(), Stop> {
        let mut act_on = |evaluation: &mut Self, element: Value<'a>| {
            evaluation.spend(1)?;
            evaluation.locals.push(element.clone());
            let go_on = act(evaluation, element);
            evaluation.locals.pop();
            go_on
        };
        if let Value::Map(fields) = range {
            for name in fields.keys() {
                if act_on(self, Value::Text(name))? == GoOn::No {
                    break;
                }
            }
            return Ok(());
        }
        for at in 0..range.elements().ok_or(Stop::Error)? {
            if act_on(self, range.element(at)?)? == GoOn::No {
                break;
            }
        }
        Ok(())
    }
}
