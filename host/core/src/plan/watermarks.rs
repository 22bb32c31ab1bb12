//! How watermarks come about, as a plan says it; the arithmetic is in [`crate::watermark`].

use serde::{Deserialize, Serialize};

/// How watermarks follow event time (semantics.md #3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Watermarks {
    /// Times never fall: the watermark is the greatest time minus 1 ms.
    Monotonic,
    /// Records come at most this much late: greatest time minus the bound minus 1 ms.
    Bounded {
        /// The bound in milliseconds.
        ms: i64,
    },
    /// The component says: it is asked behind every block of a split. Behind `timestamps` only. Since 0.2.0.
    Guest {
        /// How often it is asked besides, in milliseconds of processing time; not at all where this is absent.
        #[serde(default, rename = "every-ms", skip_serializing_if = "Option::is_none")]
        every_ms: Option<i64>,
    },
}
