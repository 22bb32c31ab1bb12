//! What a source's plan wants of each record: which keys, as which columns of which port.
//!
//! The names of all ports are put into one list, so that a decoder fills one row of slots whatever the
//! variant turns out to be, and only then looks at types.

use tidemill_core::block::Builder;
use tidemill_core::connect::{Error, OnError};
use tidemill_core::plan::{Format, Kind, Operator};
use tidemill_core::schema::{Schema, Type};

/// Fixed-width bytes of one block of a source at most. Wide rows of absent values cost no input bytes, so the input's
/// length alone would not bound a block.
const BLOCK_FIXED_BYTES_MAX: usize = 16 << 20;

/// What the plan wants of each record. See the module.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// The keys that anything needs, each once.
    pub(crate) names: Vec<String>,
    /// The key whose value chooses the port.
    pub(crate) tag: Option<usize>,
    /// The key that holds the event time.
    pub(crate) time: Option<usize>,
    /// One per output of the operator.
    pub(crate) ports: Vec<Port>,
    /// What to do with a bad record.
    pub(crate) on_error: OnError,
    /// Rows of one block at most.
    pub(crate) rows_max: usize,
}

/// What one output wants.
#[derive(Clone, Debug)]
pub(crate) struct Port {
    /// The tag's value whose records leave here; none when the source has no tag.
    pub(crate) variant: Option<String>,
    /// The columns in order.
    pub(crate) columns: Vec<Wanted>,
    /// The columns as the plan writes them.
    pub(crate) schema: Schema,
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// Index into [`Layout::names`].
    pub(crate) name: usize,
    pub(crate) ty: Type,
    pub(crate) optional: bool,
}

impl Layout {
    /// The layout of a source operator whose records come in `format`.
    pub(crate) fn of(operator: &Operator, format: Format) -> Result<Layout, Error> {
        let wrong = |what: &str| Error::Binding(format!("source {:?}: {what}", operator.name));
        let Kind::Source(spec) = &operator.kind else {
            return Err(wrong(&format!("a {} is no source", operator.kind_name())));
        };
        if operator.outputs.is_empty() || (spec.tag.is_none() && operator.outputs.len() > 1) {
            return Err(wrong("a source without a tag has one output; declare the tag field to have several"));
        }
        if format == Format::Text {
            check_text(operator).map_err(|what| wrong(&what))?;
        }
        let mut names: Vec<String> = Vec::new();
        let mut index = |name: &str| match names.iter().position(|n| n == name) {
            Some(at) => at,
            None => {
                names.push(name.to_owned());
                names.len() - 1
            }
        };
        let tag = spec.tag.as_deref().map(&mut index);
        let time = spec.time.as_deref().map(&mut index);
        let mut ports = Vec::new();
        for output in &operator.outputs {
            if tag.is_some() && output.variant.is_none() {
                return Err(wrong(&format!("output {:?} needs a variant, because the source has a tag", output.name)));
            }
            if output.variant.is_some() && ports.iter().any(|p: &Port| p.variant == output.variant) {
                return Err(wrong(&format!(
                    "two outputs take the variant {:?}; give both consumers one output",
                    output.variant.as_deref().unwrap_or("")
                )));
            }
            let columns = output.schema.fields().iter().map(|f| Wanted { name: index(&f.name), ty: f.ty, optional: f.optional });
            ports.push(Port { variant: output.variant.clone(), columns: columns.collect(), schema: output.schema.clone() });
        }
        let width = |port: &Port| 16 + port.columns.iter().map(|c| c.ty.width().unwrap_or(4) + 1).sum::<usize>();
        let widest = ports.iter().map(width).max().unwrap_or(16);
        Ok(Layout { names, tag, time, ports, on_error: operator.on_error, rows_max: (BLOCK_FIXED_BYTES_MAX / widest).max(1) })
    }

    /// An empty builder for each port.
    pub(crate) fn builders(&self) -> Vec<Builder> {
        self.ports.iter().map(|p| Builder::new(&p.schema)).collect()
    }

    /// The port that takes records with this tag.
    pub(crate) fn port_of(&self, tag: &[u8]) -> Option<usize> {
        self.ports.iter().position(|p| p.variant.as_ref().is_some_and(|v| v.as_bytes() == tag))
    }

    /// The index of a key in [`Layout::names`].
    pub(crate) fn name_index(&self, key: &[u8]) -> Option<usize> {
        self.names.iter().position(|n| n.as_bytes() == key)
    }

    /// Whether records of this port, or of none, need that key.
    pub(crate) fn needs(&self, port: Option<usize>, name: usize) -> bool {
        self.time == Some(name) || port.is_some_and(|p| self.ports[p].columns.iter().any(|c| c.name == name))
    }
}

fn check_text(operator: &Operator) -> Result<(), String> {
    let Kind::Source(spec) = &operator.kind else { return Ok(()) };
    if spec.tag.is_some() || spec.time.is_some() {
        return Err("text lines have no fields, so neither tag nor time can be one: use json or csv, or a timestamps operator".to_owned());
    }
    let fields = operator.outputs[0].schema.fields();
    let first_is_text = fields.first().is_some_and(|f| matches!(f.ty, Type::String | Type::Bytes));
    if !first_is_text || fields[1..].iter().any(|f| !f.optional) {
        return Err(format!("text gives one string field, but the schema is {:?}", operator.outputs[0].schema.to_string()));
    }
    Ok(())
}
