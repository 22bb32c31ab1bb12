package runtime

import (
	"math"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
)

// TTL is how long an entry of state lives after it was written.
type TTL struct {
	// Ms is how long.
	Ms int64
	// Processing says that the host's clock counts, not event time.
	Processing bool
	// OnRead says that reading an entry writes its time anew.
	OnRead bool
}

// Plan says how the plan declares it.
func (t TTL) Plan() *plan.TTL {
	ttl := &plan.TTL{Ms: t.Ms, Domain: plan.Event, OnRead: t.OnRead}
	if t.Processing {
		ttl.Domain = plan.Processing
	}
	return ttl
}

func (t TTL) domain() int { return domainOf(t.Processing) }

func domainOf(processing bool) int {
	if processing {
		return 1
	}
	return 0
}

// Expiry is what all tables of an operator whose entries expire share (decisions/0012). An entry that has expired is never shown. It is
// taken out when its key is swept: at a timer of the runtime's own, which a key with such state always has, so that a key nobody comes
// back to is let go as well. Event time has index 0 below, processing time 1.
type Expiry struct {
	// time of the record in hand; the least for a timer, whose time may be of the other domain.
	time int64
	at   Moment
	// written says in which domains something was written for the record in hand.
	written [2]bool
	// sweepers are the timers that sweep, where there are any.
	sweepers [2]*uint32
	// set says which slots have such a timer, as far as this instance has set it.
	set [2][]bool
}

// Sweeper makes sure of the timer that sweeps in a domain: declare declares it.
func (e *Expiry) Sweeper(processing bool, declare func() uint32) {
	if at := domainOf(processing); e.sweepers[at] == nil {
		timer := declare()
		e.sweepers[at] = &timer
	}
}

func (e *Expiry) begin(time int64, at Moment) {
	e.time, e.at, e.written = time, at, [2]bool{}
}

// fired says whether a timer is one that sweeps, and sees to it that the slot is swept.
func (e *Expiry) fired(slot, timer uint32) bool {
	for domain, sweeper := range e.sweepers {
		if sweeper != nil && *sweeper == timer {
			e.forgetTimer(slot, domain)
			e.time, e.written[domain] = math.MinInt64, true
			return true
		}
	}
	return false
}

// forget notes that a slot is another key's from now on.
func (e *Expiry) forget(slot uint32) {
	e.forgetTimer(slot, 0)
	e.forgetTimer(slot, 1)
}

func (e *Expiry) forgetTimer(slot uint32, domain int) {
	if int(slot) < len(e.set[domain]) {
		e.set[domain][slot] = false
	}
}

// sweeping is a table whose entries expire.
type sweeping interface {
	// sweep takes out of a slot what has expired by a domain, and says when the last of what is left does, where anything does.
	sweep(slot uint32, domain int) (int64, bool)
}

// schedule sweeps a slot where it has been written to and has no timer, and sets one for what is left.
func (e *Expiry) schedule(slot uint32, tables []Table, timers *[]TimerOp) {
	for domain, sweeper := range e.sweepers {
		if sweeper == nil || !e.written[domain] {
			continue
		}
		if missing := int(slot) + 1 - len(e.set[domain]); missing > 0 {
			e.set[domain] = append(e.set[domain], make([]bool, missing)...)
		}
		if e.set[domain][slot] {
			continue
		}
		last, any := int64(math.MinInt64), false
		for _, table := range tables {
			if expiring, is := table.(sweeping); is {
				if end, left := expiring.sweep(slot, domain); left {
					last, any = max(last, end), true
				}
			}
		}
		if any {
			// Another one may be there from before a restore.
			*timers = append(*timers, TimerOp{Slot: slot, Timer: *sweeper, Action: ReplaceTimer, Time: last})
			e.set[domain][slot] = true
		}
	}
}

// lease is the time-to-live of one piece of state.
type lease struct {
	ttl    TTL
	expiry *Expiry
}

// stamp is when an entry was written, in one domain or the other; in neither where that is not known.
type stamp struct {
	// Event time.
	Event *int64 `tidemill:"$event"`
	// Processing time.
	Processing *int64 `tidemill:"$processing"`
}

func (l *lease) of(s stamp) *int64 {
	if l.ttl.Processing {
		return s.Processing
	}
	return s.Event
}

// end is when an entry expires, where it is known when it was written.
func (l *lease) end(s stamp) (int64, bool) {
	at := l.of(s)
	if at == nil {
		return 0, false
	}
	if *at > math.MaxInt64-l.ttl.Ms {
		return math.MaxInt64, true
	}
	return *at + l.ttl.Ms, true
}

// live says whether an entry may be seen.
func (l *lease) live(s stamp) bool {
	now := l.expiry.at.Watermark
	if l.ttl.Processing {
		now = l.expiry.at.Now
	}
	end, known := l.end(s)
	return !known || now < end
}

// renewed is the stamp of an entry that is written in place of one: a record behind its time takes nothing away from it.
func (l *lease) renewed(before stamp) stamp {
	e := l.expiry
	e.written[l.ttl.domain()] = true
	now := max(e.time, e.at.Watermark)
	if l.ttl.Processing {
		now = e.at.Now
	}
	at := l.of(before)
	if now > math.MinInt64 && (at == nil || now > *at) {
		at = &now
	}
	if l.ttl.Processing {
		return stamp{Processing: at}
	}
	return stamp{Event: at}
}

// read says whether reading an entry writes its stamp anew, and as what.
func (l *lease) read(s stamp) (stamp, bool) {
	before := l.of(s)
	if !l.ttl.OnRead && before != nil {
		return s, false
	}
	fresh := l.renewed(s)
	after := l.of(fresh)
	return fresh, after != nil && (before == nil || *before != *after)
}

// keeps says whether a sweep keeps an entry; one whose time is not known begins to live now.
func (l *lease) keeps(s *stamp) bool {
	if l.of(*s) == nil {
		*s = l.renewed(*s)
	}
	return l.live(*s)
}
