package main

import (
	"slices"
	"strings"
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
)

const (
	// every says that a basket is told after every fifth purchase of a user, and at the end.
	every  = 5
	recent = 3
)

// Purchase is a line of the input.
type Purchase struct {
	User  string
	Item  string
	Price float64
	At    int64
}

// Total is what a user has bought.
type Total struct {
	Count int64
	Spent float64
}

// Basket is a line of the output.
type Basket struct {
	User      string
	Count     int64
	Spent     float64
	Recent    string
	Favourite string
	Items     int64
}

type baskets struct {
	total  *tidemill.ValueState[Total]
	recent *tidemill.ListState[string]
	counts *tidemill.MapState[string, int64]
	day    *tidemill.Timer
}

// OnRecord adds a purchase.
func (b *baskets) OnRecord(ctx *tidemill.Context[string, Basket], purchase Purchase) error {
	b.day.Replace(purchase.At + (24 * time.Hour).Milliseconds())
	b.total.Update(func(total *Total) {
		total.Count++
		total.Spent += purchase.Price
	})
	b.counts.Update(purchase.Item, func(count *int64) { *count++ })
	items := append(b.recent.Take(), purchase.Item)
	b.recent.Set(slices.Clone(items[max(0, len(items)-recent):]))
	if b.total.Or(Total{}).Count%every == 0 {
		b.tell(ctx)
	}
	return nil
}

// OnTimer ends the day of a user.
func (b *baskets) OnTimer(ctx *tidemill.Context[string, Basket], _ tidemill.TimerEvent) error {
	b.tell(ctx)
	b.total.Clear()
	b.recent.Clear()
	b.counts.Clear()
	return nil
}

func (b *baskets) tell(ctx *tidemill.Context[string, Basket]) {
	favourite, most := "", int64(0)
	for item, count := range b.counts.All() {
		// Of items that were bought equally often, the first in the order of their names.
		if count > most || count == most && item < favourite {
			favourite, most = item, count
		}
	}
	total := b.total.Or(Total{})
	ctx.Emit(Basket{
		User: ctx.Key(), Count: total.Count, Spent: total.Spent, Recent: strings.Join(b.recent.Get(), ","), Favourite: favourite,
		Items: int64(b.counts.Len()),
	})
}

// state is what users bought: a value, a list, a map and a timer for each of them, all of which a savepoint has to hold.
func state(job *tidemill.Job) {
	purchases := tidemill.Source[Purchase](job, "purchases", tidemill.JSON()).EventTime("at", tidemill.Monotonic())
	tidemill.Process(tidemill.KeyBy[string](purchases, "user"), "basket", func(d *tidemill.Declare) *baskets {
		return &baskets{
			total:  tidemill.NewValue[Total](d, "total"),
			recent: tidemill.NewList[string](d, "recent"),
			counts: tidemill.NewMap[string, int64](d, "counts"),
			day:    d.EventTimer("day"),
		}
	}).Sink("baskets", tidemill.JSON())
}
