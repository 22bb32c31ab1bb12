//! The components of a version: one, or several that are wired. What a request says of them is checked here, before a process of ours sees it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::components::Components;
use crate::error::{Code, Error};
use crate::id::Digest;
use crate::job::record::Version;
use crate::limits::{PART_NAME_BYTES_MAX, PARTS_MAX};
use crate::view::{Submit, Swap};

/// See the module; as in [`Version`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) component: Digest,
    pub(crate) components: BTreeMap<String, Digest>,
    pub(crate) wires: BTreeMap<String, String>,
}

impl Parts {
    fn one(component: Digest) -> Parts {
        Parts { component, components: BTreeMap::new(), wires: BTreeMap::new() }
    }

    fn several(components: BTreeMap<String, Digest>, wires: BTreeMap<String, String>) -> Result<Parts, Error> {
        if components.len() > PARTS_MAX {
            return Err(Error::new(Code::LimitRefused, format!("{} components are more than {PARTS_MAX}", components.len())));
        }
        let component = whole(&components).map_err(|e| Error::internal("several components cannot be told from others", &e))?;
        Ok(Parts { component, components, wires })
    }

    /// What a job is to begin with.
    pub(crate) fn of_submit(store: &Components, submit: &Submit) -> Result<Parts, Error> {
        let bad = |text: &str| Error::new(Code::BadRequest, text);
        match &submit.component {
            None if submit.components.is_empty() => {
                Err(bad("the request names no component").hint("name one in `component`, or several in `components`"))
            }
            None => Parts::several(found(store, &submit.components)?, submit.wires.clone()),
            Some(_) if !submit.components.is_empty() => {
                Err(bad("the request has both `component` and `components`").hint("keep the one that is meant"))
            }
            Some(_) if !submit.wires.is_empty() => {
                Err(bad("the request has wires, which join `components`, and one `component` alone").hint("remove one of the two"))
            }
            Some(one) => store.find(one).map(Parts::one),
        }
    }

    /// What a job is to go on with.
    pub(crate) fn of_swap(store: &Components, before: &Version, swap: &Swap) -> Result<Parts, Error> {
        if before.components.is_empty() {
            if !swap.components.is_empty() || swap.wires.is_some() {
                let error =
                    Error::new(Code::SwapRefused, "the job has one component, which has no name, and several cannot take its place");
                let names = swap.components.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                let error = match names.is_empty() {
                    true => error.because("the request has wires, which join several"),
                    false => error.because(format!("the request names {names}: operators of several have such a name in front")),
                };
                return Err(error.hint("swap the component itself, without a name; or submit the several as another job"));
            }
            let component = swap.component.as_deref().map(|text| store.find(text)).transpose()?;
            return Ok(Parts::one(component.unwrap_or_else(|| before.component.clone())));
        }
        let known = listed(&before.components);
        if swap.component.is_some() {
            let error = Error::new(Code::SwapRefused, format!("the job has several components ({known}), and one is given without a name"));
            return Err(error.hint("say which it is for: `tidemill swap JOB --component NAME NEW.wasm`; a job file changes all of them"));
        }
        if let Some(wires) = &swap.wires {
            if swap.components.is_empty() {
                return Err(Error::new(Code::BadRequest, "the request has wires and no components").hint("with wires, name all components"));
            }
            return Parts::several(found(store, &swap.components)?, wires.clone());
        }
        if let Some(name) = swap.components.keys().find(|name| !before.components.contains_key(*name)) {
            let error = Error::new(Code::ComponentNotFound, format!("the job has no component {name:?}"));
            return Err(error.because(format!("it has {known}")).hint("a job file with [components] and [wires] adds one"));
        }
        let mut components = before.components.clone();
        components.extend(found(store, &swap.components)?);
        Parts::several(components, before.wires.clone())
    }

    /// What changes on the way from a version to these, in a line.
    pub(crate) fn why(&self, before: &Version) -> String {
        if self.component == before.component && self.wires == before.wires {
            return "other arguments or bindings".to_owned();
        }
        if self.components.is_empty() {
            return format!("swapped {} for {}", before.component.short(), self.component.short());
        }
        let mut said: Vec<String> = Vec::new();
        for (name, digest) in &self.components {
            match before.components.get(name) {
                None => said.push(format!("added {name} {}", digest.short())),
                Some(old) if old != digest => said.push(format!("swapped {name} {} for {}", old.short(), digest.short())),
                Some(_) => {}
            }
        }
        said.extend(before.components.keys().filter(|name| !self.components.contains_key(*name)).map(|name| format!("removed {name}")));
        said.extend((self.wires != before.wires).then(|| "other wires".to_owned()));
        said.join(", ")
    }

    /// The version with these in the place of its own, without arguments and bindings that nothing is left to take.
    pub(crate) fn into_version(self, before: Version) -> Version {
        let Version { mut args, mut bindings, .. } = before;
        if !self.components.is_empty() {
            let is_of_one = |name: &String| name.split_once('.').is_some_and(|(part, _)| self.components.contains_key(part));
            args.retain(|name, _| is_of_one(name));
            bindings.retain(|name, _| is_of_one(name) && !self.wires.iter().any(|(source, sink)| name == source || name == sink));
        }
        Version { component: self.component, components: self.components, wires: self.wires, args, bindings, ..before }
    }
}

/// The digests of components that a request names, by the names they have in the job.
fn found(store: &Components, components: &BTreeMap<String, String>) -> Result<BTreeMap<String, Digest>, Error> {
    let one = |(name, text): (&String, &String)| {
        check_name(name)?;
        let digest = store.find(text).map_err(|e| Error { message: format!("component {name:?}: {}", e.message), ..e })?;
        Ok((name.clone(), digest))
    };
    components.iter().map(one).collect()
}

/// Refuses what could not be handed to a program; what else a name may not be, the wires say.
fn check_name(name: &str) -> Result<(), Error> {
    let is_bad = |c: char| matches!(c, '.' | '=' | '\0') || c.is_whitespace();
    if name.is_empty() || name.len() > PART_NAME_BYTES_MAX || name.contains(is_bad) {
        let shown = name.chars().take(PART_NAME_BYTES_MAX).collect::<String>();
        let error = Error::new(Code::BadRequest, format!("{shown:?} is no name of a component"));
        return Err(error.because(format!("it is empty, has a dot, a = or a space in it, or more than {PART_NAME_BYTES_MAX} bytes")));
    }
    Ok(())
}

/// Refuses arguments of no component, where there are several.
pub(crate) fn check_args(version: &Version) -> Result<(), Error> {
    let is_of_none = |name: &&String| !name.split_once('.').is_some_and(|(part, _)| version.components.contains_key(part));
    let mut of_none = version.args.keys().filter(is_of_none);
    match of_none.next() {
        Some(name) if !version.components.is_empty() => {
            let error = Error::new(Code::PlanRefused, format!("argument-unknown: argument {name:?} is of no component of the job"));
            Err(error.because(format!("its components are {}", listed(&version.components))).hint("write COMPONENT.NAME"))
        }
        _ => Ok(()),
    }
}

fn listed(components: &BTreeMap<String, Digest>) -> String {
    components.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// What tells several components from others, as in the checkpoints of their job.
fn whole(components: &BTreeMap<String, Digest>) -> std::io::Result<Digest> {
    let lines: String = components.iter().map(|(name, digest)| format!("{name} {digest}\n")).collect();
    let text: String = Sha256::digest(lines).iter().map(|byte| format!("{byte:02x}")).collect();
    text.parse().map_err(std::io::Error::other)
}

impl Version {
    /// Its components, each once.
    pub(crate) fn digests(&self) -> Vec<&Digest> {
        let mut digests: Vec<&Digest> = self.components.values().collect();
        digests.sort_unstable();
        digests.dedup();
        if digests.is_empty() { vec![&self.component] } else { digests }
    }

    /// What a program that plans or runs it is to load, in the folder of components.
    pub(crate) fn program(&self, folder: &Path) -> Vec<OsString> {
        let file = |digest: &Digest| folder.join(format!("{digest}.wasm"));
        if self.components.is_empty() {
            return vec![file(&self.component).into()];
        }
        let mut args: Vec<OsString> = vec!["job".into()];
        args.extend(self.components.iter().map(|(name, digest)| {
            let mut part = OsString::from(format!("--part={name}="));
            part.push(file(digest));
            part
        }));
        args.extend(self.wires.iter().map(|(source, sink)| format!("--wire={source}={sink}").into()));
        args
    }
}

#[cfg(test)]
mod tests;
