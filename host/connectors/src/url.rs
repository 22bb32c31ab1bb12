//! URLs of bindings: `scheme:rest?option=value&option=value`.
//!
//! The options are whatever follows the last `?`, if it has the form of options: a `?` before that belongs to the path, where
//! it is a pattern for one character.

use tidemill_core::connect::Error;
use tidemill_core::plan::Format;

/// A URL taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    /// As written, for messages.
    pub(crate) text: String,
    /// Before the first colon.
    pub(crate) scheme: String,
    /// Between the first colon and the options.
    pub(crate) rest: String,
    options: Vec<(String, String)>,
}

impl Url {
    /// Takes a URL apart; `known` are the schemes, for the text of the error.
    pub(crate) fn parse(text: &str, known: &[&str]) -> Result<Url, Error> {
        let Some((scheme, rest)) = text.split_once(':') else {
            let advice = if std::path::Path::new(text).exists() { format!("write file:{text}") } else { list(known) };
            return Err(Error::Binding(format!("{text:?} is no URL, because it has no scheme: {advice}")));
        };
        let (rest, options) = match rest.rsplit_once('?').and_then(|(rest, query)| Some((rest, options(query)?))) {
            Some((rest, options)) => (rest, options),
            None => (rest, Vec::new()),
        };
        Ok(Url { text: text.to_owned(), scheme: scheme.to_owned(), rest: rest.to_owned(), options })
    }

    /// Refuses an option that is not one of `valid`, and one that stands twice.
    pub(crate) fn check_options(&self, valid: &[&str]) -> Result<(), Error> {
        for (index, (name, _)) in self.options.iter().enumerate() {
            if !valid.contains(&name.as_str()) {
                let known = if valid.is_empty() { "it takes none".to_owned() } else { format!("valid are {}", valid.join(", ")) };
                return Err(self.wrong(&format!("unknown option {name:?}; {known}")));
            }
            if self.options[..index].iter().any(|(n, _)| n == name) {
                return Err(self.wrong(&format!("option {name:?} stands twice")));
            }
        }
        Ok(())
    }

    /// The value of an option.
    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A whole number, `_` allowed between digits.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Error> {
        let Some(value) = self.option(name) else { return Ok(None) };
        let number = value.replace('_', "").parse();
        number.map(Some).map_err(|_| self.wrong(&format!("option {name:?} takes a whole number, not {value:?}")))
    }

    /// A whole number above 0.
    pub(crate) fn positive(&self, name: &str) -> Result<Option<u64>, Error> {
        match self.number(name)? {
            Some(0) => Err(self.wrong(&format!("option {name:?} must be above 0"))),
            number => Ok(number),
        }
    }

    /// `true` or `false`, false when not given.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Error> {
        match self.option(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(value) => Err(self.wrong(&format!("option {name:?} takes true or false, not {value:?}"))),
        }
    }

    /// The format that the URL or else the plan says.
    pub(crate) fn format(&self, planned: Format) -> Result<Format, Error> {
        match self.option("format") {
            None => Ok(planned),
            Some("json") => Ok(Format::Json),
            Some("csv") => Ok(Format::Csv),
            Some("text") => Ok(Format::Text),
            Some(value) => Err(self.wrong(&format!("option \"format\" takes json, csv or text, not {value:?}"))),
        }
    }

    /// An error that names this URL.
    pub(crate) fn wrong(&self, what: &str) -> Error {
        Error::Binding(format!("{}: {what}", self.text))
    }

    /// The error for a scheme that does not exist here.
    pub(crate) fn unknown(&self, known: &[&str]) -> Error {
        let written = format!("{}:{}", self.scheme, self.rest);
        // A scheme may have a second word (`datagen:rows`); what was written is compared as far as the known one reaches.
        let distance = |name: &str| {
            let parts = name.trim_end_matches(['/', ':']).split(':').count();
            distance(name.trim_end_matches(['/', ':']), &written.split(':').take(parts).collect::<Vec<_>>().join(":"))
        };
        let nearest = known.iter().min_by_key(|name| distance(name)).filter(|name| distance(name) <= 1 + name.len() / 3);
        let hint = nearest.map_or(String::new(), |name| format!("; did you mean {name}?"));
        Error::Binding(format!("{}: nothing here is called {:?}{hint} ({})", self.text, self.scheme, list(known)))
    }
}

fn list(known: &[&str]) -> String {
    format!("there are {}", known.join(", "))
}

/// The options of a query, or `None` when it does not look like one.
fn options(query: &str) -> Option<Vec<(String, String)>> {
    let word = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    query
        .split('&')
        .map(|part| part.split_once('=').filter(|(name, _)| word(name)).map(|(name, value)| (name.to_owned(), value.to_owned())))
        .collect()
}

/// The number of letters to change, add or take to make one word of another.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let changed = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["file:", "stdin:", "socket://", "datagen:nexmark", "datagen:rows"];

    #[test]
    fn options_and_patterns_are_told_apart() {
        let url = |text| Url::parse(text, KNOWN).unwrap();
        let both = url("file:data-?.json?format=csv&rate=1_000");
        assert_eq!((both.rest.as_str(), both.option("format"), both.number("rate").unwrap()), ("data-?.json", Some("csv"), Some(1000)));
        assert_eq!(url("file:data-?.json").rest, "data-?.json");
        assert_eq!(url("socket://localhost:9000").rest, "//localhost:9000");
    }

    #[test]
    fn mistakes_are_named() {
        let url = Url::parse("file:x?fromat=csv", KNOWN).unwrap();
        let text = url.check_options(&["format", "rate"]).unwrap_err().to_string();
        assert!(text.contains("\"fromat\"") && text.contains("format, rate"), "{text}");
        let twice = Url::parse("file:x?rate=1&rate=2", KNOWN).unwrap();
        assert!(twice.check_options(&["rate"]).unwrap_err().to_string().contains("twice"));
        assert!(Url::parse("file:x?rate=0", KNOWN).unwrap().positive("rate").is_err());
        assert!(Url::parse("file:x?header=yes", KNOWN).unwrap().flag("header").is_err());
    }

    #[test]
    fn the_nearest_scheme_is_suggested() {
        let unknown = |text: &str| Url::parse(text, KNOWN).unwrap().unknown(KNOWN).to_string();
        assert!(unknown("fiel:x").contains("did you mean file:?"), "{}", unknown("fiel:x"));
        assert!(unknown("datagen:nexmrak?events=1").contains("did you mean datagen:nexmark?"));
        assert!(!unknown("kafka://host/topic").contains("did you mean"), "{}", unknown("kafka://host/topic"));
        assert!(unknown("kafka://host/topic").contains("datagen:rows"));
    }
}
