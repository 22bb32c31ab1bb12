//! Servers by name: `contexts.toml` in the user's configuration.
//!
//! ```toml
//! current = "prod"
//!
//! [contexts.prod]
//! url = "http://10.1.2.3:8081"
//! token-file = "/etc/tidemill/token"
//! ```

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::DEFAULT;
use crate::fault::{Fault, Outcome};
use crate::suggest;

/// A server with the file of its token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Context {
    pub(crate) url: String,
    pub(crate) token_file: Option<PathBuf>,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Contexts {
    pub(crate) current: Option<String>,
    #[serde(default)]
    pub(crate) contexts: BTreeMap<String, Context>,
}

impl Contexts {
    /// Reads them; without a file there are none.
    ///
    /// # Errors
    /// A file that cannot be understood.
    pub(crate) fn read() -> Outcome<Contexts> {
        let Some(path) = path() else { return Ok(Contexts::default()) };
        match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|e| Fault::usage(format!("{} cannot be understood", path.display())).because(&e)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Contexts::default()),
            Err(error) => Err(Fault::refused(format!("cannot read {}", path.display())).because(&error)),
        }
    }

    /// Writes them in one step.
    ///
    /// # Errors
    /// No place for a configuration, or a disk that does not take it.
    pub(crate) fn write(&self) -> Outcome<()> {
        let path = path().ok_or_else(|| Fault::refused("there is no place for a configuration").hint("set HOME or XDG_CONFIG_HOME"))?;
        let refused = |e: &std::io::Error| Fault::refused(format!("cannot write {}", path.display())).because(e);
        let text = toml::to_string_pretty(self).map_err(|e| Fault::failed("the contexts cannot be written").because(&e))?;
        let folder = path.parent().ok_or_else(|| Fault::refused("there is no place for a configuration"))?;
        std::fs::create_dir_all(folder).map_err(|e| refused(&e))?;
        let beside = path.with_extension("new");
        let written = std::fs::File::create(&beside).and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
        written.and_then(|()| std::fs::rename(&beside, &path)).map_err(|e| refused(&e))
    }

    /// The one of this name.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn find(&self, name: &str) -> Outcome<&Context> {
        self.contexts.get(name).ok_or_else(|| {
            let fault = Fault::refused(format!("there is no context {name:?}"));
            fault.maybe_hint(suggest::hint(name, self.contexts.keys().map(String::as_str)))
        })
    }

    fn chosen(&self, server: Option<&str>) -> Outcome<Context> {
        match (server, &self.current) {
            (Some(server), _) if server.contains("://") => Ok(Context { url: server.to_owned(), token_file: None }),
            (Some(name), _) => self.find(name).cloned(),
            (None, Some(current)) => self.find(current).cloned(),
            (None, None) => Ok(Context { url: DEFAULT.to_owned(), token_file: None }),
        }
    }
}

/// The server that is meant: by a URL, by the name of a context, or the one in use.
///
/// # Errors
/// As [`Contexts::read`] and [`Contexts::find`].
pub(crate) fn chosen(server: Option<&str>) -> Outcome<Context> {
    Contexts::read()?.chosen(server)
}

/// `$XDG_CONFIG_HOME/tidemill/contexts.toml`, else `$HOME/.config/tidemill/contexts.toml`.
fn path() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CONFIG_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".config")))
        .map(|base| base.join("tidemill/contexts.toml"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn contexts() -> Contexts {
        toml::from_str("current = 'a'\n[contexts.a]\nurl = 'http://a:1'\ntoken-file = '/t'\n[contexts.b]\nurl = 'http://b:1'\n").unwrap()
    }

    #[test]
    fn a_server_is_named_by_url_or_context_or_not_at_all() {
        let contexts = contexts();
        let url = |server: Option<&str>| contexts.chosen(server).unwrap().url;
        assert_eq!(url(Some("http://c:1")), "http://c:1");
        assert_eq!(url(Some("b")), "http://b:1");
        assert_eq!(contexts.chosen(None).unwrap(), Context { url: "http://a:1".to_owned(), token_file: Some("/t".into()) });
        assert_eq!(Contexts::default().chosen(None).unwrap().url, DEFAULT);
        assert_eq!(contexts.chosen(Some("c")).unwrap_err().exit, crate::fault::Exit::Refused);
    }

    #[test]
    fn contexts_read_back() {
        let text = toml::to_string_pretty(&contexts()).unwrap();
        assert_eq!(toml::from_str::<Contexts>(&text).unwrap(), contexts());
    }
}
