package tidemill

import (
	"reflect"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/runtime"
)

// The sides of a co-group are called so, in the plan and for [LateSide].
const (
	FirstSide  = "first"
	SecondSide = "second"
)

// CoGroup handles at once what two streams of the same key have in a window: a window exists where one of them has a record, and its
// function gets those of both, each in the order of arrival. They are not to be changed. Every record is kept until then.
func CoGroup[K, A, B, Out any](
	first *KeyedStream[K, A], second *KeyedStream[K, B], name string, windows Windows,
	f func(window Window[K], first []A, second []B, out *Emitter[Out]),
) *Stream[Out] {
	g := first.stream.graph
	g.check(windows.err)
	g.sameKeys("co-group \""+name+"\"", first.key, second.key)
	id := g.nextID()
	layout := layoutOf[Out](g)
	inHand := runtime.NewWindow[K, Out](first.key)
	window, emitter := seen(g, id, inHand)
	firsts := runtime.NewListTable[A](&runtime.Cursor{}, first.stream.layout)
	seconds := runtime.NewListTable[B](&runtime.Cursor{}, second.stream.layout)
	states := []plan.State{firsts.Declare(FirstSide), seconds.Declare(SecondSide)}
	guest := &runtime.CoGroup[K, A, B, Out]{
		Call: g.call, ID: id, Key: first.key, Window: inHand,
		First:   &runtime.Buffering[A]{Lists: firsts},
		Second:  &runtime.Buffering[B]{Lists: seconds},
		Readers: runtime.NewReaders[A, B](first.stream.layout, second.stream.layout),
		Done:    func(first []A, second []B) { f(window(), first, second, emitter) },
		Out:     runtime.NewPort[Out](g.call, id, 0, layout, layout.Schema),
		Slots:   runtime.NewSlots(&runtime.Cursor{}, states, []runtime.Table{firsts, seconds}),
	}
	body := windows.join()
	body.Sides = []plan.Side{{Name: FirstSide, Key: first.fields}, {Name: SecondSide, Key: second.fields}}
	body.State = states
	operator := &plan.Operator{
		Name:   name,
		Kind:   plan.Kind{Name: plan.CoGroup, Join: body},
		Inputs: []plan.Input{first.stream.keyedInput(), second.stream.keyedInput()},
	}
	stream := added[Out](g, operator, guest, layout, layout.Schema)
	g.records[stream.operator][plan.LateSide+FirstSide] = reflect.TypeFor[A]()
	g.records[stream.operator][plan.LateSide+SecondSide] = reflect.TypeFor[B]()
	return stream
}

// join is what windows say of a join in them.
func (w Windows) join() *plan.Join {
	return &plan.Join{Assigner: &w.assigner, Domain: w.domain, LatenessMs: w.latenessMs, Trigger: w.trigger}
}
