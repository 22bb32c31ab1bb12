package main

import (
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
)

// Person is what q8 reads of a person.
type Person struct {
	ID   int64
	Name string
}

// Selling is what q8 reads of an auction.
type Selling struct {
	Seller int64
}

// Sign is that a person came, with their name, or that they opened an auction, without.
type Sign struct {
	Person int64
	Name   *string
}

// NewSeller is a line of q8.
type NewSeller struct {
	ID          int64
	Name        string
	WindowStart int64
}

// signs is what a window knows of a person.
type signs struct {
	Name  *string
	Sells bool
}

func (s *signs) add(name *string, sells bool) {
	s.Sells = s.Sells || sells
	if s.Name == nil {
		s.Name = name
	}
}

// q8, monitor new users: persons who opened an auction in the ten seconds in which they came, as `id,name,windowStart`.
func q8(job *tidemill.Job) {
	events := events(job)
	came := tidemill.Map(tidemill.Variant[Person](events, "person"), "came", func(p Person) Sign { return Sign{Person: p.ID, Name: &p.Name} })
	sells := tidemill.Map(tidemill.Variant[Selling](events, "auction"), "sells", func(s Selling) Sign { return Sign{Person: s.Seller} })
	windows := tidemill.KeyBy[int64](came.Union("signs", sells), "person").Window(tidemill.Tumbling(10 * time.Second))
	both := tidemill.Aggregator[Sign, signs, signs]{
		Add:    func(acc *signs, sign Sign) { acc.add(sign.Name, sign.Name == nil) },
		Merge:  func(acc *signs, other signs) { acc.add(other.Name, other.Sells) },
		Result: func(acc signs) signs { return acc },
	}
	tidemill.AggregateEach(windows, "new-sellers", both, func(w tidemill.Window[int64], s signs, out *tidemill.Emitter[NewSeller]) {
		if s.Sells && s.Name != nil {
			out.Emit(NewSeller{ID: w.Key(), Name: *s.Name, WindowStart: w.Start})
		}
	}).Sink("results", lines())
}
