package tidemill

import "github.com/tidemill/tidemill/guest-sdk/go/internal/plan"

// Format says how bytes become records and back, and where they come from or go to unless `--bind` says otherwise.
type Format struct {
	name string
	url  string
	tag  string
}

// JSON is one JSON object a line.
func JSON() Format { return Format{name: "json"} }

// CSV is comma-separated values; a source reads a header line.
func CSV() Format { return Format{name: "csv"} }

// Text is a line as one string: a source of string.
func Text() Format { return Format{name: "text"} }

// Default gives the URL used when nothing is bound, such as `stdin:`, `stdout:` or `file:data.json`.
func (f Format) Default(url string) Format {
	f.url = url
	return f
}

// Tag gives the string field whose value tells what kind of record it is; see [Job.TaggedSource].
func (f Format) Tag(field string) Format {
	f.tag = field
	return f
}

func (f Format) binding(name string) plan.Binding {
	return plan.Binding{Binding: name, Default: f.url, Format: f.name}
}
