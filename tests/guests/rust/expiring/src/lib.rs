//! A value, a list and a map of each key, all with the time-to-live that the arguments give, and records that tell what to do with them.
//! The conformance cases use it as a program, `tests/e2e` as a component.

use tidemill::prelude::*;

/// A record: commands with `;` between them.
#[derive(Clone, Debug, Record)]
struct Asked {
    key: String,
    #[record(rename = "do")]
    commands: String,
    at: i64,
}

#[derive(Clone, Debug, Record)]
struct Told {
    key: String,
    what: String,
}

struct Expiring {
    value: ExpiringValue<String>,
    list: ExpiringList<String>,
    map: ExpiringMap<String, String>,
}

impl Expiring {
    fn run(&self, ctx: &mut Ctx<'_, String, Told>, command: &str) -> Result<Option<String>> {
        let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
        let (value, list, map) = (ctx.state(&self.value), ctx.state(&self.list), ctx.state(&self.map));
        let shown = |texts: Vec<String>| Some(if texts.is_empty() { "none".to_owned() } else { texts.join(" ") });
        match word {
            "put" => value.set(rest.to_owned()),
            "get" => return Ok(shown(value.cloned().into_iter().collect())),
            "append" => list.push(rest.to_owned()),
            "list" => return Ok(shown(list.get())),
            "enter" => {
                let (key, text) = rest.split_once(' ').unwrap_or((rest, ""));
                map.insert(key.to_owned(), text.to_owned());
            }
            "entry" => return Ok(shown(map.get(&rest.to_owned()).map(|text| text.clone()).into_iter().collect())),
            "entries" => return Ok(shown(map.entries().into_iter().map(|(key, text)| format!("{key}={text}")).collect())),
            "forget" => {
                value.clear();
                list.clear();
                map.clear();
            }
            "refuse" => bail!("{rest}"),
            _ => bail!("there is no command {command:?}"),
        }
        Ok(None)
    }
}

impl Process for Expiring {
    type Key = String;
    type In = Asked;
    type Out = Told;

    fn on_record(&self, ctx: &mut Ctx<'_, String, Told>, record: Asked) -> Result {
        for command in record.commands.split(';').map(str::trim) {
            if let Some(what) = self.run(ctx, command)? {
                ctx.emit(Told { key: record.key.clone(), what });
            }
        }
        Ok(())
    }
}

/// The job.
///
/// # Errors
/// Arguments that are missing or say what cannot be.
#[tidemill::job]
pub fn expiring(job: &mut Job) -> Result {
    let span = millis(job.arg_parse("ms")?);
    let ttl = match job.arg("domain")?.as_str() {
        "event" => Ttl::event_time(span),
        "processing" => Ttl::processing_time(span),
        other => bail!("domain={other:?}: it is event or processing"),
    };
    let ttl = if job.arg_parse_or("by-reads", false)? { ttl.renewed_by_reads() } else { ttl };
    let make = |d: &mut Declare| Expiring {
        value: d.expiring_value("value", ttl),
        list: d.expiring_list("list", ttl),
        map: d.expiring_map("map", ttl),
    };
    let rows = job.source::<Asked>("rows", json()).event_time(Asked::AT, monotonic());
    let told = rows.key_by(Asked::KEY).process("p", make);
    told.on_error(OnError::Skip).sink("out", json().default("stdout:"));
    Ok(())
}
