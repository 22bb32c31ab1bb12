//! The components of a job on their way to a server: each is uploaded where the server does not have it.

use std::collections::BTreeMap;

use super::submit;
use crate::client::Client;
use crate::fault::{Fault, Outcome};
use crate::settings::{Part, Settings};

/// What a request says of the components, in the words of the API.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// The only one.
    pub(super) component: Option<String>,
    /// Several, by name.
    pub(super) components: BTreeMap<String, String>,
    /// None where there is one.
    pub(super) wires: Option<BTreeMap<String, String>>,
    /// Arguments of the job, and of components by `COMPONENT.NAME`.
    pub(super) args: BTreeMap<String, String>,
}

/// Sees to it that the server has all of them.
///
/// # Errors
/// As [`submit::component`], with the name of the component.
pub(super) fn sent(client: &Client, settings: &Settings) -> Outcome<Sent> {
    let args = settings.args.iter().cloned();
    let Some(several) = &settings.several else {
        let component = Some(submit::component(client, settings.component())?);
        return Ok(Sent { component, args: args.collect(), ..Sent::default() });
    };
    let one = |part: &Part| {
        let digest = submit::component(client, &part.path);
        let digest = digest.map_err(|fault| Fault { message: format!("component {:?}: {}", part.name, fault.message), ..fault })?;
        Ok((part.name.clone(), digest))
    };
    let components = several.parts.iter().map(one).collect::<Outcome<_>>()?;
    let wires = several.wires.iter().map(|wire| (wire.source.clone(), wire.sink.clone())).collect();
    Ok(Sent { component: None, components, wires: Some(wires), args: args.chain(several.parts.iter().flat_map(own)).collect() })
}

/// The arguments of a component, as those of the job are called.
fn own(part: &Part) -> impl Iterator<Item = (String, String)> {
    part.args.iter().map(|(name, value)| (format!("{}.{name}", part.name), value.clone()))
}
