package plan

// Join is a join or a co-group. Which of its fields have a meaning depends on its kind; the others are empty.
type Join struct {
	Sides          []Side    `json:"sides"`
	Assigner       *Assigner `json:"assigner,omitempty"`
	Domain         string    `json:"domain,omitempty"`
	LatenessMs     int64     `json:"lateness-ms,omitempty"`
	LowerMs        *int64    `json:"lower-ms,omitempty"`
	UpperMs        *int64    `json:"upper-ms,omitempty"`
	LowerExclusive bool      `json:"lower-exclusive,omitempty"`
	UpperExclusive bool      `json:"upper-exclusive,omitempty"`
	Trigger        *Trigger  `json:"trigger,omitempty"`
	State          []State   `json:"state,omitempty"`
}

// Side is one input of a join.
type Side struct {
	Name string   `json:"name"`
	Key  []string `json:"key"`
	// Required is not set where the side is.
	Required *bool `json:"required,omitempty"`
}

// IsRequired says whether nothing is joined without a record of this side.
func (s Side) IsRequired() bool { return s.Required == nil || *s.Required }

// Sides are the inputs of a join or co-group; there are none in another kind.
func (k Kind) Sides() []Side {
	if k.Join == nil {
		return nil
	}
	return k.Join.Sides
}
