//! `tidemill explain plan`: the plan of a job of a server.

use crate::client::{Client, ServerArgs, part};
use crate::console;
use crate::fault::Outcome;

use super::{PlanArgs, json};

/// Shows the plan of a job.
pub(super) fn run(job: &str, shown: &PlanArgs, server: &ServerArgs) -> Outcome<()> {
    let client = Client::new(server)?;
    let path = |rest: &str| format!("/v1/jobs/{}{rest}", part(job));
    if shown.json {
        let plan: serde_json::Value = client.get(&path("/plan"))?;
        return json(&plan);
    }
    let format = if shown.mermaid { "mermaid" } else { "text" };
    console::result(&client.text(&path(&format!("/explain?format={format}")))?)
}
