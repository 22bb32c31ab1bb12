// Package plan is the plan document (`plan.md` of the contract), as the SDK writes it. The host's reader is the authority.
package plan

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// Contract is the version that this SDK speaks.
const Contract = "0.2.0"

// Names of ports that exist without being listed, or that every operator has.
const (
	Main       = "out"
	Late       = "late"
	DeadLetter = "dead-letter"
	// LateSide and Unmatched are what the names of ports of a join begin with; the name of the side follows.
	LateSide  = "late-"
	Unmatched = "unmatched-"
)

// Plan is the document.
type Plan struct {
	Contract  string      `json:"contract"`
	Name      string      `json:"name,omitempty"`
	Fuse      *bool       `json:"fuse,omitempty"`
	Operators []*Operator `json:"operators"`
}

// Operator is one operator; its id is its index.
type Operator struct {
	Name        string   `json:"name"`
	Kind        Kind     `json:"kind"`
	Inputs      []Input  `json:"inputs,omitempty"`
	Outputs     []Output `json:"outputs,omitempty"`
	Parallelism uint32   `json:"parallelism,omitempty"`
	OnError     string   `json:"on-error,omitempty"`
	Chaining    string   `json:"chaining,omitempty"`
}

// What happens to refused records; the empty text is Fail.
const (
	Fail         = "fail"
	Skip         = "skip"
	DeadLettered = "dead-letter"
)

// What joins an operator with others in one call; the empty text is Fuse.
const (
	Fuse  = "fuse"
	Start = "start"
	Never = "never"
)

// Fails says whether a refused record fails the job.
func (o *Operator) Fails() bool { return o.OnError == "" || o.OnError == Fail }

// Input says what an operator reads.
type Input struct {
	From      string     `json:"from"`
	Port      string     `json:"port,omitempty"`
	Partition *Partition `json:"partition,omitempty"`
}

// PortName is the port read, also where it is not said.
func (i Input) PortName() string {
	if i.Port == "" {
		return Main
	}
	return i.Port
}

// Partition says how records are spread: by a name, or for `custom` by a field.
type Partition struct {
	Name  string
	Field string
}

// MarshalJSON writes `"shuffle"` or `{"custom": "field"}`.
func (p Partition) MarshalJSON() ([]byte, error) {
	if p.Field != "" {
		return json.Marshal(map[string]string{p.Name: p.Field})
	}
	return json.Marshal(p.Name)
}

// UnmarshalJSON reads the same.
func (p *Partition) UnmarshalJSON(text []byte) error {
	return either(text, &p.Name, func(name string, body json.RawMessage) error {
		p.Name = name
		return json.Unmarshal(body, &p.Field)
	})
}

// Output is a port.
type Output struct {
	Name    string `json:"name,omitempty"`
	Schema  Schema `json:"schema"`
	Variant string `json:"variant,omitempty"`
}

// PortName is the port's name, also where it is not said.
func (o Output) PortName() string {
	if o.Name == "" {
		return Main
	}
	return o.Name
}

// Schema is a schema in its text form.
type Schema schema.Schema

// MarshalText writes the text form.
func (s Schema) MarshalText() ([]byte, error) { return []byte(schema.Schema(s).String()), nil }

// UnmarshalText reads the text form.
func (s *Schema) UnmarshalText(text []byte) error {
	parsed, err := schema.Parse(string(text))
	*s = Schema(parsed)
	return err
}

// Kind is what an operator does. One field is set, or none for a kind that its name describes.
type Kind struct {
	Name       string
	Source     *Source
	Sink       *Binding
	Timestamps *Watermarks
	Process    *Process
	Window     *Window
	Rolling    *Rolling
	// Join is a join of any kind or a co-group, which Name names.
	Join *Join
}

// Kinds that their names describe.
const (
	Map     = "map"
	Filter  = "filter"
	FlatMap = "flat-map"
	KeyBy   = "key-by"
	Union   = "union"
)

// Kinds of joins.
const (
	WindowJoin   = "window-join"
	IntervalJoin = "interval-join"
	KeyedJoin    = "keyed-join"
	TemporalJoin = "temporal-join"
	CoGroup      = "co-group"
)

// Stateless says whether the guest computes it and keeps nothing between records.
func (k Kind) Stateless() bool {
	return k.Timestamps != nil || k.Name == Map || k.Name == Filter || k.Name == FlatMap || k.Name == KeyBy
}

func (k *Kind) body() (string, any) {
	switch {
	case k.Source != nil:
		return "source", k.Source
	case k.Sink != nil:
		return "sink", k.Sink
	case k.Timestamps != nil:
		return "timestamps", k.Timestamps
	case k.Process != nil:
		return "process", k.Process
	case k.Window != nil:
		return "window", k.Window
	case k.Rolling != nil:
		return "rolling", k.Rolling
	case k.Join != nil:
		return k.Name, k.Join
	default:
		return "", nil
	}
}

// MarshalJSON writes a name, or an object of a name and what belongs to it.
func (k Kind) MarshalJSON() ([]byte, error) {
	if name, body := k.body(); body != nil {
		return json.Marshal(map[string]any{name: body})
	}
	return json.Marshal(k.Name)
}

// UnmarshalJSON reads the same.
func (k *Kind) UnmarshalJSON(text []byte) error {
	return either(text, &k.Name, func(name string, body json.RawMessage) error {
		switch name {
		case "source":
			k.Source = new(Source)
		case "sink":
			k.Sink = new(Binding)
		case "timestamps":
			k.Timestamps = new(Watermarks)
		case "process":
			k.Process = new(Process)
		case "window":
			k.Window = new(Window)
		case "rolling":
			k.Rolling = new(Rolling)
		case WindowJoin, IntervalJoin, KeyedJoin, TemporalJoin, CoGroup:
			k.Name, k.Join = name, new(Join)
		default:
			return fmt.Errorf("there is no kind %q", name)
		}
		_, into := k.body()
		return strict(body, into)
	})
}

// either reads a name, or an object with one entry.
func either(text []byte, name *string, object func(string, json.RawMessage) error) error {
	if err := json.Unmarshal(text, name); err == nil {
		return nil
	}
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(text, &entries); err != nil {
		return err
	}
	if len(entries) != 1 {
		return fmt.Errorf("%s is not an object with one entry", text)
	}
	for name, body := range entries {
		return object(name, body)
	}
	return nil
}

func strict(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// Binding says where records come from or go to.
type Binding struct {
	Binding string `json:"binding"`
	Default string `json:"default,omitempty"`
	Format  string `json:"format"`
}

// Source is where records come from.
type Source struct {
	Binding
	Tag        string      `json:"tag,omitempty"`
	Time       string      `json:"time,omitempty"`
	Watermarks *Watermarks `json:"watermarks,omitempty"`
	Align      *Align      `json:"align,omitempty"`
}

// Align is how far the splits of a source may be ahead of the slowest of their group.
type Align struct {
	MaxDriftMs int64  `json:"max-drift-ms"`
	Group      string `json:"group,omitempty"`
}

// Watermarks follow event time, at once or some milliseconds behind, or are what the job says.
type Watermarks struct {
	Bounded *int64
	Guest   *Generated
}

// Generated are watermarks that the job says: behind each block, and every so many milliseconds of processing time unless that is none.
type Generated struct {
	EveryMs *int64 `json:"every-ms,omitempty"`
}

// MarshalJSON writes `"monotonic"`, `{"bounded": {"ms": 2000}}` or `{"guest": {"every-ms": 200}}`.
func (w Watermarks) MarshalJSON() ([]byte, error) {
	if w.Guest != nil {
		return json.Marshal(map[string]*Generated{"guest": w.Guest})
	}
	if w.Bounded == nil {
		return json.Marshal("monotonic")
	}
	return json.Marshal(map[string]bound{"bounded": {*w.Bounded}})
}

// UnmarshalJSON reads the same.
func (w *Watermarks) UnmarshalJSON(text []byte) error {
	var name string
	return either(text, &name, func(kind string, body json.RawMessage) error {
		if kind == "guest" {
			w.Guest = new(Generated)
			return strict(body, w.Guest)
		}
		var b bound
		w.Bounded = &b.Ms
		return strict(body, &b)
	})
}

type bound struct {
	Ms int64 `json:"ms"`
}

// After is the watermark that follows from an event time.
func (w Watermarks) After(time int64) int64 {
	least := func(n int64) int64 {
		// Just behind the least number would be the greatest.
		if n > time {
			return -1 << 63
		}
		return n
	}
	bound := int64(0)
	if w.Bounded != nil {
		bound = *w.Bounded
	}
	return least(time - bound - 1)
}

// Process is a process function.
type Process struct {
	Keys   [][]string `json:"keys"`
	State  []State    `json:"state,omitempty"`
	Timers []Timer    `json:"timers,omitempty"`
	// Broadcast is what the inputs behind those with keys feed.
	Broadcast *Broadcast `json:"broadcast,omitempty"`
}

// Broadcast is what all keys share.
type Broadcast struct {
	State []State `json:"state"`
	Apply bool    `json:"apply,omitempty"`
}

// Kinds of state.
const (
	Value       = "value"
	List        = "list"
	MapState    = "map"
	Accumulator = "accumulator"
)

// State is a declared piece of state.
type State struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Schema Schema `json:"schema"`
	// Migrates are the schemas of earlier versions that the job turns into this one.
	Migrates []Schema `json:"migrates,omitempty"`
	// TTL is how long the job shows an entry; none for as long as it is there.
	TTL *TTL `json:"ttl,omitempty"`
}

// TTL is a time-to-live of state.
type TTL struct {
	Ms     int64  `json:"ms"`
	Domain string `json:"domain,omitempty"`
	// OnRead says that reading an entry renews it as writing does.
	OnRead bool `json:"on-read,omitempty"`
}

// Domains of time.
const (
	Event      = "event"
	Processing = "processing"
)

// Timer is a declared timer.
type Timer struct {
	Name   string `json:"name"`
	Domain string `json:"domain,omitempty"`
}

// Compute says who computes a window: the guest, or the host by an aggregate.
type Compute struct {
	Host *Aggregate
}

// MarshalJSON writes `"guest"` or `{"host": AGGREGATE}`.
func (c Compute) MarshalJSON() ([]byte, error) {
	if c.Host == nil {
		return json.Marshal("guest")
	}
	return json.Marshal(map[string]*Aggregate{"host": c.Host})
}

// UnmarshalJSON reads the same.
func (c *Compute) UnmarshalJSON(text []byte) error {
	var name string
	return either(text, &name, func(_ string, body json.RawMessage) error {
		c.Host = new(Aggregate)
		return json.Unmarshal(body, c.Host)
	})
}

// Aggregate is one that the host computes: of a field, or the count.
type Aggregate struct {
	Name  string
	Field string
}

// Names of aggregates.
const (
	Count = "count"
	Sum   = "sum"
	Min   = "min"
	Max   = "max"
	MinBy = "min-by"
	MaxBy = "max-by"
)

// MarshalJSON writes `"count"` or `{"sum": "field"}`.
func (a Aggregate) MarshalJSON() ([]byte, error) { return Partition(a).MarshalJSON() }

// UnmarshalJSON reads the same.
func (a *Aggregate) UnmarshalJSON(text []byte) error { return (*Partition)(a).UnmarshalJSON(text) }

// Whole says whether the result has the whole record.
func (a Aggregate) Whole() bool { return a.Name == MinBy || a.Name == MaxBy }

// Rolling is a running aggregate.
type Rolling struct {
	Key       []string  `json:"key"`
	Aggregate Aggregate `json:"aggregate"`
}
