//! Sources and sinks behind the traits of [`tidemill_core::connect`], one module per system.
//!
//! A binding is a URL: `file:data/*.json?format=csv`, `socket://localhost:9000`, `datagen:nexmark?events=1000000`. Everything that
//! can be wrong with it is said when it is opened, before the job runs. Decoding happens here, so what leaves a reader
//! are blocks of the plan's schemas.

mod decode;
mod discard;
mod encode;
mod file;
mod pace;
mod pipe;
mod socket;
mod stdin;
mod stdout;
mod stream;
#[cfg(test)]
mod testing;
mod url;

pub mod datagen;

use std::sync::Arc;

use tidemill_core::connect::{Error, Sink, Source};
use tidemill_core::plan::{Kind, Operator};
use tidemill_core::schema::Schema;

use decode::Layout;
use encode::Encoder;
use url::Url;

/// What a source URL can begin with.
pub const SCHEMES_IN: &[&str] = &["file:", "stdin:", "socket://", "datagen:nexmark", "datagen:rows"];
/// What a sink URL can begin with.
pub const SCHEMES_OUT: &[&str] = &["stdout:", "file:", "discard:"];

/// Options that every source knows.
const SOURCE_OPTIONS: [&str; 2] = ["format", "rate"];

/// Whether what a source URL names can be read a second time, without opening it: connecting may already be seen by others.
pub fn can_be_read_again(url: &str) -> bool {
    url.starts_with("file:")
}

/// A source URL without its rate: read as fast as it can be.
pub fn unpaced(url: &str) -> String {
    let Some((rest, query)) = url.rsplit_once('?') else { return url.to_owned() };
    let kept: Vec<&str> = query.split('&').filter(|option| !option.starts_with("rate=")).collect();
    if kept.is_empty() { rest.to_owned() } else { format!("{rest}?{}", kept.join("&")) }
}

/// Opens what `url` names for this source operator.
///
/// # Errors
/// [`Error::Binding`] when the URL cannot work for this operator; the text says what to write instead.
pub fn open_source(url: &str, operator: &Operator) -> Result<Arc<dyn Source>, Error> {
    let url = Url::parse(url, SCHEMES_IN)?;
    let Kind::Source(spec) = &operator.kind else {
        return Err(url.wrong(&format!("operator {:?} is a {}, not a source", operator.name, operator.kind_name())));
    };
    let own: &[&str] = match (url.scheme.as_str(), url.rest.as_str()) {
        ("file" | "stdin" | "socket", _) => &[],
        ("datagen", "nexmark") => &datagen::nexmark::OPTIONS,
        ("datagen", "rows") => &datagen::rows::OPTIONS,
        _ => return Err(url.unknown(SCHEMES_IN)),
    };
    url.check_options(&[&SOURCE_OPTIONS, own].concat())?;
    let format = url.format(spec.format)?;
    let rate = url.positive("rate")?;
    let layout = Arc::new(Layout::of(operator, format)?);
    let source = match (url.scheme.as_str(), url.rest.as_str()) {
        ("file", _) => file::open_source(&url, layout, format, rate)?,
        ("stdin", _) => stdin::open_source(&url, layout, format)?,
        ("socket", _) => socket::open_source(&url, layout, format)?,
        (_, "nexmark") => datagen::nexmark::open_source(&url, layout, format)?,
        _ => datagen::rows::open_source(&url, layout)?,
    };
    match rate {
        Some(per_second) => Ok(pace::pace(source, per_second, Arc::new(pace::SystemClock::start()?))),
        None => Ok(source),
    }
}

/// Opens what `url` names for this sink operator, whose records have `schema`. `resuming` says that an earlier start of the same job
/// may have written there.
///
/// # Errors
/// [`Error::Binding`] when the URL cannot work, or a directory is not empty; the text says what to write instead.
pub fn open_sink(url: &str, operator: &Operator, schema: &Schema, resuming: bool) -> Result<Arc<dyn Sink>, Error> {
    let url = Url::parse(url, SCHEMES_OUT)?;
    let Kind::Sink(spec) = &operator.kind else {
        return Err(url.wrong(&format!("operator {:?} is a {}, not a sink", operator.name, operator.kind_name())));
    };
    let encoder = Encoder::new(schema, url.format(spec.format)?);
    match url.scheme.as_str() {
        "stdout" => stdout::open_sink(&url, encoder),
        "file" => file::open_sink(&url, encoder, resuming),
        "discard" => discard::open_sink(&url),
        _ => Err(url.unknown(SCHEMES_OUT)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_again_is_known_before_it_is_opened() {
        let operator: Operator = serde_json::from_str(
            r#"{"name": "in", "kind": {"source": {"binding": "in", "format": "json"}}, "outputs": [{"schema": "n:i64"}]}"#,
        )
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("in.json");
        std::fs::write(&file, "").unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = format!("socket://{}", listener.local_addr().unwrap());
        for url in [format!("file:{}?rate=5", file.display()), socket, "datagen:rows".to_owned(), "stdin:".to_owned()] {
            assert_eq!(can_be_read_again(&url), open_source(&url, &operator).unwrap().replayable(), "{url}");
        }
    }

    #[test]
    fn a_source_without_its_rate_is_the_same_source() {
        for (url, unhurried) in [
            ("file:a.json?rate=5", "file:a.json"),
            ("file:a.json?format=csv&rate=5", "file:a.json?format=csv"),
            ("file:a?.json?rate=5&format=csv", "file:a?.json?format=csv"),
            ("file:a?.json", "file:a?.json"),
            ("file:a.json", "file:a.json"),
        ] {
            assert_eq!(unpaced(url), unhurried);
        }
    }
}
