//! Which store a URL means: a path or `file:DIR`, `memory:`, `s3://bucket/prefix`, `hdfs://host/path`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;

use super::objects::{CALL_TIMEOUT, Objects};
use super::{Backend, Store};
use crate::error::Error;

/// Every memory is another one.
pub(super) const MEMORY: &str = "memory:";

/// What a store is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A local directory must be there.
    Read,
    /// A local directory is made.
    Write,
}

/// What a URL does not say.
#[derive(Clone, Debug)]
pub struct Settings {
    /// After how long a call has failed.
    pub timeout: Duration,
    /// Credentials and options in the words of the storage, e.g. `AWS_REGION` and its value. Others are passed over.
    pub options: Vec<(String, String)>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { timeout: CALL_TIMEOUT, options: Vec::new() }
    }
}

impl Store {
    /// Opens the store of a URL.
    ///
    /// # Errors
    /// A scheme that is unknown or not built in, a directory that is not there or cannot be made, options that do not fit.
    pub fn open(url: &str, access: Access, settings: &Settings) -> Result<Store, Error> {
        let backend: Arc<dyn Backend> = match scheme(url) {
            None | Some("file") => Arc::new(local(url, access, settings)?),
            Some("memory") => Arc::new(Objects::new(Arc::new(InMemory::new()), object_store::path::Path::default(), settings.timeout)?),
            Some("s3") => Arc::new(s3(url, settings)?),
            Some("hdfs") => Arc::new(hdfs(url, settings)?),
            Some(other) => {
                let known = "a path, file:DIR, s3://BUCKET/PREFIX or hdfs://HOST/PATH";
                return Err(Error::Directory(format!("{url:?} has the scheme {other:?}; checkpoints are kept in {known}")));
            }
        };
        Ok(Store::new(backend, url))
    }

    /// A store in memory, empty.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn memory() -> Result<Store, Error> {
        Store::open(MEMORY, Access::Write, &Settings::default())
    }
}

/// What stands before the first colon, unless that is part of a path.
fn scheme(url: &str) -> Option<&str> {
    let (scheme, _) = url.split_once(':')?;
    let first = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    (first && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-'))).then_some(scheme)
}

fn local(url: &str, access: Access, settings: &Settings) -> Result<Objects, Error> {
    let path = url.strip_prefix("file://").or_else(|| url.strip_prefix("file:")).unwrap_or(url);
    if path.is_empty() {
        return Err(Error::Directory(format!("{url:?} names no directory")));
    }
    let path = Path::new(path);
    if access == Access::Write {
        std::fs::create_dir_all(path).map_err(|e| Error::Directory(format!("the directory {} cannot be made: {e}", path.display())))?;
    } else if !path.is_dir() {
        return Err(Error::Directory(format!("there is no directory {}", path.display())));
    }
    let store = LocalFileSystem::new_with_prefix(path);
    let store = store.map_err(|e| Error::Directory(format!("the directory {} cannot be used: {e}", path.display())))?;
    Objects::local(Arc::new(store.with_fsync(true)), path.to_owned(), settings.timeout)
}

#[cfg(feature = "s3")]
fn s3(url: &str, settings: &Settings) -> Result<Objects, Error> {
    use object_store::aws::AmazonS3Builder;
    use object_store::{ClientOptions, RetryConfig};

    let refused = |error: object_store::Error| Error::Directory(format!("{url} cannot be used: {error}"));
    let prefix = url.strip_prefix("s3://").and_then(|rest| Some(rest.split_once('/')?.1)).unwrap_or_default();
    let prefix = object_store::path::Path::parse(prefix.trim_matches('/')).map_err(|e| Error::Directory(format!("{url}: {e}")))?;
    let mut builder = AmazonS3Builder::new().with_url(url);
    for (name, value) in &settings.options {
        if let Ok(key) = name.to_ascii_lowercase().parse() {
            builder = builder.with_config(key, value);
        }
    }
    let retry = RetryConfig { retry_timeout: settings.timeout, ..RetryConfig::default() };
    let client = ClientOptions::new().with_timeout(settings.timeout);
    let client = match settings.options.iter().any(|(name, value)| name.eq_ignore_ascii_case("AWS_ALLOW_HTTP") && value == "true") {
        true => client.with_allow_http(true),
        false => client,
    };
    let store = builder.with_client_options(client).with_retry(retry).build().map_err(refused)?;
    Objects::new(Arc::new(store), prefix, settings.timeout)
}

#[cfg(not(feature = "s3"))]
fn s3(url: &str, _: &Settings) -> Result<Objects, Error> {
    Err(Error::Directory(format!("{url}: this tidemill was built without S3 (cargo feature `s3`)")))
}

#[cfg(feature = "hdfs")]
fn hdfs(url: &str, settings: &Settings) -> Result<Objects, Error> {
    use hdfs_native_object_store::HdfsObjectStoreBuilder;

    let refused = |reason: String| Error::Directory(format!("{url} cannot be used: {reason}"));
    let rest = url.strip_prefix("hdfs://").ok_or_else(|| refused("write hdfs://HOST:PORT/PATH".to_owned()))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = object_store::path::Path::parse(path.trim_matches('/')).map_err(|e| refused(e.to_string()))?;
    let builder = HdfsObjectStoreBuilder::new().with_url(format!("hdfs://{host}")).with_config(settings.options.iter().cloned());
    let store = builder.with_io_runtime(super::objects::runtime()?).build().map_err(|e| refused(e.to_string()))?;
    Objects::new(Arc::new(store), prefix, settings.timeout)
}

#[cfg(not(feature = "hdfs"))]
fn hdfs(url: &str, _: &Settings) -> Result<Objects, Error> {
    Err(Error::Directory(format!("{url}: this tidemill was built without HDFS (cargo feature `hdfs`)")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str, access: Access) -> String {
        Store::open(url, access, &Settings::default()).expect_err(url).to_string()
    }

    #[test]
    fn a_colon_behind_a_slash_is_part_of_a_path() {
        assert_eq!(scheme("a/b:c"), None);
        assert_eq!(scheme("./c:d"), None);
        assert_eq!(scheme("3:d"), None);
        assert_eq!(scheme("s3://b/p"), Some("s3"));
    }

    #[test]
    fn what_cannot_be_opened_is_said_with_what_can() {
        assert!(refusal("ftp://x", Access::Read).contains("s3://BUCKET/PREFIX"));
        assert!(refusal("file:", Access::Read).contains("names no directory"));
        let dir = tempfile::tempdir().unwrap();
        let gone = dir.path().join("gone");
        let gone = gone.to_str().unwrap();
        assert!(refusal(gone, Access::Read).contains("there is no directory"));
        for url in [gone.to_owned(), format!("file:{gone}"), format!("file://{gone}")] {
            assert!(Store::open(&url, Access::Write, &Settings::default()).unwrap().list("log/").unwrap().is_empty(), "{url}");
        }
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(refusal(file.to_str().unwrap(), Access::Write).contains("cannot be made"));
    }

    #[test]
    #[cfg(not(feature = "s3"))]
    fn a_store_that_is_not_built_in_names_its_feature() {
        assert!(refusal("s3://bucket/prefix", Access::Write).contains("feature `s3`"));
    }
}
