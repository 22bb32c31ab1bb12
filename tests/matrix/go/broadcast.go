package main

import (
	"fmt"
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
)

// RuleEvent is a line of the input: a purchase or a rule.
type RuleEvent struct {
	Kind  string
	Name  string
	Cents int64
	At    int64
}

// Bought is a purchase of a user.
type Bought struct {
	User  string
	Cents int64
	At    int64
}

// Rule is about purchases of so many cents and more.
type Rule struct {
	Name  string
	Least int64
}

// Hit is a line of the output.
type Hit struct {
	User  string
	Rule  string
	Cents int64
}

// matching finds the purchases that a rule is about. In which order purchases and rules meet is not said, so every pair of them has to be
// found once in either order: a purchase looks through the rules that are shared, a rule is applied to every user who has purchases.
type matching struct {
	seen  *tidemill.ListState[int64]
	day   *tidemill.Timer
	rules *tidemill.BroadcastMap[string, int64]
	count *tidemill.BroadcastValue[int64]
}

// OnRecord looks for the rules of a purchase.
func (m *matching) OnRecord(ctx *tidemill.Context[string, Hit], purchase Bought) error {
	m.day.Replace(purchase.At + (24 * time.Hour).Milliseconds())
	m.seen.Add(purchase.Cents)
	for rule, least := range m.rules.All() {
		if purchase.Cents >= least {
			ctx.Emit(Hit{User: purchase.User, Rule: rule, Cents: purchase.Cents})
		}
	}
	return nil
}

// OnBroadcast shares a rule.
func (m *matching) OnBroadcast(ctx *tidemill.BroadcastContext[Hit], rule Rule) error {
	m.rules.Change(ctx).Set(rule.Name, rule.Least)
	m.count.Change(ctx).Update(func(count *int64) { *count++ })
	return nil
}

// OnKey looks for the purchases of a rule.
func (m *matching) OnKey(ctx *tidemill.Context[string, Hit], rule Rule) error {
	least, _ := m.rules.Get(rule.Name)
	for _, cents := range m.seen.Get() {
		if cents >= least {
			ctx.Emit(Hit{User: ctx.Key(), Rule: rule.Name, Cents: cents})
		}
	}
	return nil
}

// OnTimer tells what a user has spent under how many rules.
func (m *matching) OnTimer(ctx *tidemill.Context[string, Hit], _ tidemill.TimerEvent) error {
	spent := int64(0)
	for _, cents := range m.seen.Get() {
		spent += cents
	}
	ctx.Emit(Hit{User: ctx.Key(), Rule: fmt.Sprintf("%d rules", m.count.Or(0)), Cents: spent})
	return nil
}

// broadcast handles purchases of users beside rules.
func broadcast(job *tidemill.Job) {
	events := tidemill.Source[RuleEvent](job, "events", tidemill.JSON()).EventTime("at", tidemill.Monotonic())
	isPurchase := tidemill.Filter(events, "is-purchase", func(event RuleEvent) bool { return event.Kind == "purchase" })
	purchases := tidemill.Map(isPurchase, "purchases", func(event RuleEvent) Bought {
		return Bought{User: event.Name, Cents: event.Cents, At: event.At}
	})
	isRule := tidemill.Filter(events, "is-rule", func(event RuleEvent) bool { return event.Kind == "rule" })
	rules := tidemill.Map(isRule, "rules", func(event RuleEvent) Rule { return Rule{Name: event.Name, Least: event.Cents} })
	byUser := tidemill.KeyBy[string](purchases, "user")
	tidemill.ProcessBroadcast(byUser, rules, "match", func(d *tidemill.Declare) *matching {
		return &matching{
			seen:  tidemill.NewList[int64](d, "seen"),
			day:   d.EventTimer("day"),
			rules: tidemill.NewBroadcastMap[string, int64](d, "rules"),
			count: tidemill.NewBroadcastValue[int64](d, "count"),
		}
	}).Sink("hits", tidemill.JSON())
}
