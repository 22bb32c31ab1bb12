//! Which URLs a job may be bound to: what reaches out of its process is allowed by whoever runs the server, place by place.

use std::path::{Component, Path, PathBuf};

use crate::error::{Code, Error};
use crate::examined::Bound;
use crate::options::Options;

/// Refuses every binding without a URL, and every URL that the server does not allow.
pub(crate) fn check(options: &Options, bounds: &[Bound]) -> Result<(), Error> {
    for bound in bounds {
        let name = &bound.name;
        let Some(url) = &bound.url else {
            let (verb, example) = if bound.is_sink { ("write", "file:/DIR") } else { ("read", "file:/FILE") };
            let text = format!("nothing says where the binding {name:?} is to {verb}: the job gives it no default");
            return Err(Error::new(Code::BindingRefused, text).hint(format!("bind it: {name}={example}")));
        };
        allowed(options, url).map_err(|error| Error { message: format!("binding {name} = {url}: {}", error.message), ..error })?;
    }
    Ok(())
}

/// Refuses a URL of checkpoints or savepoints that the server does not allow.
pub(crate) fn check_storage(options: &Options, url: &str) -> Result<(), Error> {
    match url.split_once(':') {
        Some(("file", path)) => file(options, path),
        Some(_) => Err(refused("a server keeps state in files only").hint("give a folder below one of --allow-file")),
        None => file(options, url),
    }
}

fn allowed(options: &Options, url: &str) -> Result<(), Error> {
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    let place = without_options(rest);
    match scheme {
        "datagen" | "discard" => Ok(()),
        "file" => file(options, place),
        "socket" => socket(options, place.trim_start_matches('/')),
        "stdin" => Err(refused("a job on a server has no standard input").hint("bind it to file:, socket: or datagen:")),
        "stdout" => Err(refused("a job on a server has no standard output").hint("bind it to file:DIR or discard:")),
        _ => Err(refused(format!("{scheme}: is not allowed here"))
            .hint("datagen: and discard: always are, file: and socket: where --allow-file and --allow-connect say so")),
    }
}

/// What stands before the options. Where it could be read in two ways, a question mark is part of the path, as a pattern: that is the
/// reading that reaches further.
fn without_options(rest: &str) -> &str {
    let is_option = |part: &str| {
        part.split_once('=').is_some_and(|(name, value)| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && !value.contains('/')
        })
    };
    match rest.rsplit_once('?') {
        Some((path, query)) if query.split('&').all(is_option) => path,
        _ => rest,
    }
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(Code::BindingRefused, message)
}

fn socket(options: &Options, address: &str) -> Result<(), Error> {
    if options.allow_sockets.iter().any(|allowed| allowed == address) {
        return Ok(());
    }
    Err(refused("this server does not let jobs connect there").hint(match options.allow_sockets.as_slice() {
        [] => "`tidemill serve --allow-connect HOST:PORT` allows an address".to_owned(),
        some => format!("it lets them connect to {}", some.join(", ")),
    }))
}

/// Whether a path, or pattern of paths, lies below a folder that is allowed. Links are followed first: where it leads counts.
fn file(options: &Options, path: &str) -> Result<(), Error> {
    let path = Path::new(path);
    if !path.is_absolute() {
        return Err(refused("a path on a server is absolute").hint("write file:/FOLDER/FILE"));
    }
    if path.components().any(|part| matches!(part, Component::ParentDir)) {
        return Err(refused("a path with .. is not followed").hint("write where it leads"));
    }
    if path.as_os_str().as_encoded_bytes().contains(&0) {
        return Err(refused("a path has no NUL in it"));
    }
    let real = real(path);
    let below = |root: &PathBuf| std::fs::canonicalize(root).is_ok_and(|root| real.starts_with(root));
    if options.allow_files.iter().any(below) {
        return Ok(());
    }
    Err(refused("this server does not let jobs use files there").hint(match options.allow_files.as_slice() {
        [] => "`tidemill serve --allow-file DIR` allows a folder".to_owned(),
        some => format!("it lets them use {}", some.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")),
    }))
}

/// The path with the links of its part that exists followed; what does not exist yet is no link.
fn real(path: &Path) -> PathBuf {
    // From the first pattern on, a name stands for names inside of the folder before it.
    let is_plain = |part: &Component<'_>| !part.as_os_str().as_encoded_bytes().iter().any(|b| b"*?[".contains(b));
    let plain: PathBuf = path.components().take_while(is_plain).collect();
    for ancestor in plain.ancestors() {
        if let Ok(real) = std::fs::canonicalize(ancestor) {
            return plain.strip_prefix(ancestor).map_or_else(|_| real.clone(), |rest| real.join(rest));
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn code(options: &Options, url: &str) -> Option<String> {
        allowed(options, url).err().map(|error| error.message)
    }

    #[test]
    fn only_what_is_allowed_is_reached() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("in");
        std::fs::create_dir(&inside).unwrap();
        std::os::unix::fs::symlink("/etc", inside.join("link")).unwrap();
        let options = Options { allow_files: vec![inside.clone()], allow_sockets: vec!["127.0.0.1:9".to_owned()], ..testing::options() };
        let at = |rest: &str| format!("file:{}{rest}", inside.display());
        for url in [
            at(""),
            at("/a.json"),
            at("/new/deep"),
            at("/*.json?rate=5"),
            at("?overwrite=true"),
            "datagen:rows?count=1".to_owned(),
            "discard:".to_owned(),
        ] {
            assert_eq!(code(&options, &url), None, "{url}");
        }
        assert_eq!(code(&options, "socket://127.0.0.1:9"), None);
        let refused = [
            at("/../x"),
            at("/link/passwd"),
            at("/link/*"),
            at("/a?b/../../etc/passwd"),
            at("?x"),
            at("x"),
            "file:/etc/passwd".to_owned(),
            "file:in.json".to_owned(),
            "file:/".to_owned(),
            "file:/*/passwd".to_owned(),
            "socket://127.0.0.1:90".to_owned(),
            "socket://169.254.169.254:80".to_owned(),
            "stdin:".to_owned(),
            "stdout:".to_owned(),
            "s3://bucket/key".to_owned(),
            String::new(),
        ];
        for url in refused {
            assert!(code(&options, &url).is_some(), "{url}");
        }
    }

    #[test]
    fn nothing_is_allowed_unless_it_is_said() {
        let options = testing::options();
        assert!(code(&options, "file:/tmp/a").is_some() && code(&options, "socket://localhost:1").is_some());
        assert!(check_storage(&options, "/tmp").is_err() && check_storage(&options, "s3://a/b").is_err());
    }

    #[test]
    fn a_binding_without_a_url_is_named() {
        let bound = Bound { name: "lines".to_owned(), is_sink: false, url: None };
        assert!(check(&testing::options(), &[bound]).unwrap_err().message.contains("\"lines\""));
    }
}
