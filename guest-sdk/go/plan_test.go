package tidemill_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"testing"
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/bridge"
	"github.com/tidemill/tidemill/guest-sdk/go/tidemilltest"
)

// planOf is the plan of a job, which is the same bytes every time.
func planOf(t *testing.T, job func(*tidemill.Job) error) map[string]any {
	t.Helper()
	_, document, err := bridge.Build(job, nil, &heard{})
	if err != nil {
		t.Fatal(err)
	}
	if _, again, _ := bridge.Build(job, nil, &heard{}); again != document {
		t.Errorf("the same job gives\n%s and\n%s", document, again)
	}
	return parse(t, document).(map[string]any)
}

func parse(t *testing.T, document string) (value any) {
	t.Helper()
	if err := json.Unmarshal([]byte(document), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func operatorOf(t *testing.T, plan map[string]any, name string) map[string]any {
	t.Helper()
	for _, operator := range plan["operators"].([]any) {
		if operator := operator.(map[string]any); operator["name"] == name {
			return operator
		}
	}
	t.Fatalf("no operator %q", name)
	return nil
}

func says(t *testing.T, got any, want string) {
	t.Helper()
	if !reflect.DeepEqual(got, parse(t, want)) {
		text, _ := json.Marshal(got)
		t.Errorf("the plan says\n%s, not\n%s", text, want)
	}
}

type Trade struct {
	Symbol    string
	Exchange  *string
	Price     float64 `tidemill:"px"`
	TradeTime int64   `tidemill:"tradeTime"`
	Shares    int32
}

type listing struct {
	Symbol   string
	Exchange *string
}

const trade = "symbol:string,exchange:string?,px:f64,tradeTime:i64,shares:i32"

func TestAWindowedJobSaysWhatItIs(t *testing.T) {
	says(t, planOf(t, func(job *tidemill.Job) error {
		job.Name("averages")
		trades := tidemill.Source[Trade](job, "trades", tidemill.JSON().Default("stdin:")).EventTime("tradeTime", tidemill.OutOfOrder(2*time.Second))
		windows := tidemill.KeyBy[listing](trades).Window(tidemill.Sliding(time.Minute, 10*time.Second).Offset(-5 * time.Second))
		mean := tidemill.Mean(func(trade Trade) float64 { return trade.Price })
		tidemill.Aggregate(windows.AllowedLateness(30*time.Second), "average", mean, func(w tidemill.Window[listing], mean float64) Average {
			return Average{Sensor: w.Key().Symbol, Celsius: mean}
		}).Sink("averages", tidemill.CSV())
		return nil
	}), `{"contract": "0.2.0", "name": "averages", "operators": [
		{"name": "trades",
		 "kind": {"source": {"binding": "trades", "default": "stdin:", "format": "json", "time": "tradeTime", "watermarks": {"bounded": {"ms": 2000}}}},
		 "outputs": [{"schema": "`+trade+`"}]},
		{"name": "average",
		 "kind": {"window": {"key": ["symbol", "exchange"], "assigner": {"sliding": {"size_ms": 60000, "slide_ms": 10000, "offset_ms": -5000}},
			"domain": "event", "lateness-ms": 30000, "compute": "guest", "state": [{"name": "acc", "kind": "accumulator", "schema": "f0:f64,f1:i64"}]}},
		 "inputs": [{"from": "trades"}], "outputs": [{"schema": "sensor:string,celsius:f64,until:i64"}]},
		{"name": "averages", "kind": {"sink": {"binding": "averages", "format": "csv"}}, "inputs": [{"from": "average"}]}]}`)
}

func TestAggregatesOfTheHostCarryTheNamesOfTheJob(t *testing.T) {
	plan := planOf(t, func(job *tidemill.Job) error {
		trades := tidemill.Source[Trade](job, "trades", tidemill.JSON())
		bySymbol := tidemill.KeyBy[string](trades, "symbol")
		bySymbol.Count("n").Sink("a", tidemill.CSV())
		tidemill.RollingSum[int64](bySymbol, "volume", "shares").Sink("b", tidemill.CSV())
		bySymbol.MaxBy("greatest", "px").Sink("c", tidemill.CSV())
		windows := bySymbol.Window(tidemill.Tumbling(time.Second).ProcessingTime())
		tidemill.WindowSum[int64](windows, "volume-per-second", "shares").Sink("d", tidemill.CSV())
		tidemill.WindowMin[float64](windows, "least", "px").Sink("e", tidemill.CSV())
		tidemill.WindowMaxBy(windows, "last", "tradeTime").Sink("f", tidemill.CSV())
		type lot struct {
			Lot  int64
			Dear bool
		}
		lots := tidemill.KeyByFunc(trades, "lots", func(trade Trade) lot { return lot{int64(trade.Shares) / 100, trade.Price > 1} })
		lots.Count("by-lots").Sink("g", tidemill.CSV())
		return nil
	})
	for name, want := range map[string]string{
		"n": "symbol:string,count:i64", "volume": "symbol:string,shares:i64", "greatest": trade,
		"volume-per-second": "symbol:string,start:i64,end:i64,shares:i64", "least": "symbol:string,start:i64,end:i64,px:f64",
		"last": "start:i64,end:i64," + trade, "lots": trade + ",$key0:i64,$key1:bool", "by-lots": "$key0:i64,$key1:bool,count:i64",
	} {
		says(t, operatorOf(t, plan, name)["outputs"], `[{"schema": "`+want+`"}]`)
	}
	says(t, operatorOf(t, plan, "by-lots")["kind"], `{"rolling": {"key": ["$key0", "$key1"], "aggregate": "count"}}`)
	says(t, operatorOf(t, plan, "volume")["kind"], `{"rolling": {"key": ["symbol"], "aggregate": {"sum": "shares"}}}`)
}

func TestPortsPartitionsAndPoliciesAreSaid(t *testing.T) {
	plan := planOf(t, func(job *tidemill.Job) error {
		events := job.TaggedSource("events", tidemill.JSON().Tag("type")).EventTime("at", tidemill.Monotonic())
		trades := tidemill.Variant[Trade](events, "trade").Parallelism(3).OnError(tidemill.OnErrorSkip)
		quotes := tidemill.Variant[Item](events, "quote")
		same := func(trade Trade) Trade { return trade }
		tidemill.Map(trades.Rebalance(), "a", same).Broadcast().Sink("all", tidemill.JSON())
		spread := tidemill.PartitionBy(trades, "b", func(trade Trade) int64 { return int64(trade.Shares) })
		refuse := func(trade Trade) (int64, error) { return 0, errors.New(trade.Symbol) }
		tidemill.TryMap(spread, "c", refuse).DeadLetters().Sink("bad", tidemill.JSON())
		dear, cheap := tidemill.Split(trades, "d", "cheap", func(trade Trade, dear, cheap *tidemill.Emitter[Trade]) { dear.Emit(trade) })
		dear.Union("e", cheap, trades).Sink("all-again", tidemill.JSON())
		timed := tidemill.AssignEventTime(quotes, "f", func(item Item) int64 { return item.Key }, tidemill.Monotonic())
		counts := tidemill.WindowAll(timed, tidemill.Session(7*time.Millisecond)).Count("g")
		tidemill.Late[Item](counts).Sink("late", tidemill.JSON())
		return nil
	})
	says(t, operatorOf(t, plan, "events"), `{"name": "events",
		"kind": {"source": {"binding": "events", "format": "json", "tag": "type", "time": "at", "watermarks": "monotonic"}},
		"outputs": [{"name": "trade", "variant": "trade", "schema": "`+trade+`"}, {"name": "quote", "variant": "quote", "schema": "key:i64,text:string"}],
		"parallelism": 3, "on-error": "skip"}`)
	for name, want := range map[string]string{
		"a": `[{"from": "events", "port": "trade", "partition": "rebalance"}]`, "all": `[{"from": "a", "partition": "broadcast"}]`,
		"c": `[{"from": "b", "partition": {"custom": "$partition"}}]`, "bad": `[{"from": "c", "port": "dead-letter"}]`,
		"e":    `[{"from": "d"}, {"from": "d", "port": "cheap"}, {"from": "events", "port": "trade"}]`,
		"late": `[{"from": "g", "port": "late"}]`,
	} {
		says(t, operatorOf(t, plan, name)["inputs"], want)
	}
	says(t, operatorOf(t, plan, "c")["on-error"], `"dead-letter"`)
	says(t, operatorOf(t, plan, "d")["outputs"], `[{"schema": "`+trade+`"}, {"name": "cheap", "schema": "`+trade+`"}]`)
	says(t, operatorOf(t, plan, "f")["kind"], `{"timestamps": "monotonic"}`)
	says(t, operatorOf(t, plan, "g")["kind"].(map[string]any)["window"].(map[string]any)["key"], `[]`)
}

func TestStateTimersAndSideOutputsAreDeclared(t *testing.T) {
	plan := planOf(t, func(job *tidemill.Job) error {
		trades := tidemill.KeyBy[string](tidemill.Source[Trade](job, "trades", tidemill.JSON()), "symbol")
		results := tidemill.Process(trades, "p", func(d *tidemill.Declare) *timed {
			tidemill.NewValue[Trade](d, "v")
			tidemill.NewList[Item](d, "l")
			tidemill.NewMap[listing, bool](d, "m")
			tidemill.NewSide[int64](d, "s")
			d.EventTimer("e")
			d.ProcessingTimer("q")
			return nil
		})
		results.Sink("out", tidemill.JSON())
		tidemill.SideOutput[int64](results, "s").Sink("side", tidemill.JSON())
		return nil
	})
	operator := operatorOf(t, plan, "p")
	says(t, operator["kind"], `{"process": {"keys": [["symbol"]],
		"state": [{"name": "v", "kind": "value", "schema": "`+trade+`"}, {"name": "l", "kind": "list", "schema": "block:bytes"},
		          {"name": "m", "kind": "map", "schema": "block:bytes"}],
		"timers": [{"name": "e", "domain": "event"}, {"name": "q", "domain": "processing"}]}}`)
	says(t, operator["outputs"], `[{"schema": "value:i64"}, {"name": "s", "schema": "value:i64"}]`)
}

type timed struct{}

func (*timed) OnRecord(*tidemill.Context[string, int64], Trade) error              { return nil }
func (*timed) OnTimer(*tidemill.Context[string, int64], tidemill.TimerEvent) error { return nil }

// chained holds itself.
type chained struct {
	N    int64
	Next *chained
}

func TestWhatIsWrongWithAJobIsSaidInItsWords(t *testing.T) {
	type nested struct{ Inner struct{ a int64 } }
	type void struct{ None *struct{} }
	type twice struct {
		A int64
		B int64 `tidemill:"a"`
	}
	type hidden struct{ a int64 }
	type fraction struct{ Ratio float64 }
	for name, test := range map[string]struct {
		job   func(*tidemill.Job)
		parts []string
	}{
		"names": {func(job *tidemill.Job) {
			source := tidemill.Source[int64](job, "a", tidemill.JSON())
			tidemill.Filter(source, "a", func(int64) bool { return true }).Sink("b", tidemill.JSON())
		}, []string{`two operators are called "a"`}},
		"tags": {func(job *tidemill.Job) {
			tidemill.Source[int64](job, "a", tidemill.JSON().Tag("t")).Sink("b", tidemill.JSON().Tag("t"))
			tidemill.Variant[int64](job.TaggedSource("c", tidemill.JSON()), "v").Sink("d", tidemill.JSON())
		}, []string{`source "a" has a tag`, `sink "b" has a tag`, `source "c" has no tag`}},
		"variants": {func(job *tidemill.Job) {
			source := job.TaggedSource("a", tidemill.JSON().Tag("t"))
			tidemill.Variant[int64](source, "v").Union("u", tidemill.Variant[int64](source, "v")).Sink("b", tidemill.JSON())
		}, []string{`variant "v" is asked for twice`}},
		"records": {func(job *tidemill.Job) {
			tidemill.Source[nested](job, "a", tidemill.JSON())
			tidemill.Source[chained](job, "e", tidemill.JSON())
			tidemill.Source[void](job, "f", tidemill.JSON())
			_ = nested{}.Inner.a
			tidemill.Source[twice](job, "b", tidemill.JSON())
			tidemill.Source[hidden](job, "c", tidemill.JSON())
			tidemill.Source[map[string]int64](job, "d", tidemill.JSON())
			_ = hidden{}.a
		}, []string{"field Inner: field a is not exported", "holds records of its own type", "field None: struct {} has no columns", `two columns called "a"`, "field a is not exported", "map[string]int64 is no column"}},
		"keys": {func(job *tidemill.Job) {
			trades := tidemill.Source[Trade](job, "trades", tidemill.JSON())
			tidemill.KeyBy[int64](trades, "symbol")
			tidemill.KeyBy[string](trades, "symbl")
			tidemill.KeyBy[string](trades, "symbol", "exchange")
			tidemill.KeyByFunc(trades, "f", func(Trade) fraction { return fraction{} })
		}, []string{`the key int64 does not fit field "symbol": that one is string`, `no column "symbl"; it has symbol, exchange, px, tradeTime, shares`,
			"the key string has 1 columns, but KeyBy names 2 fields", `column "ratio" is float64`}},
		"fields": {func(job *tidemill.Job) {
			trades := tidemill.Source[Trade](job, "trades", tidemill.JSON()).EventTime("symbol", tidemill.Monotonic())
			tidemill.RollingSum[float64](tidemill.KeyBy[string](trades, "symbol"), "sum", "shares")
			tidemill.Filter(trades, "f", func(Trade) bool { return true }).EventTime("tradeTime", tidemill.Monotonic())
		}, []string{`the event time of source "trades" is symbol, which is not an int64`, `operator "sum": the sum of "shares" is i64, not float64`,
			`"f" is no source`}},
		"outputs": {func(job *tidemill.Job) {
			keyed := tidemill.KeyBy[int64](tidemill.Source[Item](job, "items", tidemill.JSON()), "key")
			out := tidemill.Process(keyed, "p", newLast)
			tidemill.SideOutput[int32](out, "side").Sink("a", tidemill.JSON())
			tidemill.SideOutput[string](out, "other").Sink("b", tidemill.JSON())
			tidemill.Late[Item](out).Sink("c", tidemill.JSON())
		}, []string{`side output "side" of "p" has records of type string, not int32`, `declares no side output "other"`, `"p" is no window`}},
		"late": {func(job *tidemill.Job) {
			numbers := tidemill.Source[int64](job, "a", tidemill.JSON())
			tidemill.Late[int64](tidemill.WindowAll(numbers, tidemill.Tumbling(time.Second).ProcessingTime()).Count("n")).Sink("b", tidemill.JSON())
			tidemill.Late[string](tidemill.WindowAll(numbers, tidemill.Tumbling(time.Second)).Count("m")).Sink("c", tidemill.JSON())
		}, []string{"where nothing is late", `the late records of "m" are of type int64, not string`}},
		"spans": {func(job *tidemill.Job) {
			items := tidemill.Source[Item](job, "a", tidemill.JSON()).EventTime("key", tidemill.OutOfOrder(time.Microsecond))
			tidemill.WindowAll(items, tidemill.Sliding(time.Second, time.Nanosecond)).AllowedLateness(1).Count("n").Sink("b", tidemill.JSON())
		}, []string{"the bound of watermarks is 1µs", "the slide of windows is 1ns", "the allowed lateness is 1ns"}},
		"timers": {func(job *tidemill.Job) {
			keyed := tidemill.KeyBy[int64](tidemill.Source[Item](job, "items", tidemill.JSON()), "key")
			tidemill.Process(keyed, "p", func(d *tidemill.Declare) processFunc[int64, Item, string] {
				d.EventTimer("t")
				return nil
			})
		}, []string{`operator "p" declares timers, so`, "needs a method OnTimer(ctx *tidemill.Context[int64,string], event tidemill.TimerEvent) error"}},
		"aggregators": {func(job *tidemill.Job) {
			windows := tidemill.WindowAll(tidemill.Source[int64](job, "a", tidemill.JSON()), tidemill.Tumbling(time.Second))
			guestless := tidemill.Aggregator[int64, int64, int64]{}
			tidemill.Aggregate(windows, "w", guestless, func(_ tidemill.Window[struct{}], n int64) int64 { return n })
		}, []string{`the aggregator of window "w" lacks Add, Merge or Result`}},
	} {
		t.Run(name, func(t *testing.T) {
			err := tidemilltest.BuildError(func(job *tidemill.Job) error {
				test.job(job)
				return nil
			})
			var problems *tidemill.BuildError
			if !errors.As(err, &problems) {
				t.Fatalf("the job is not refused: %v", err)
			}
			contains(t, err.Error(), test.parts...)
		})
	}
}

func TestArgumentsAreAskedForReadAndOtherwiseRefused(t *testing.T) {
	job := func(job *tidemill.Job) error {
		n, err := tidemill.ParseArg(job, "n", strconv.Atoi)
		if err != nil {
			return err
		}
		lines := tidemill.Source[string](job, "lines", tidemill.Text().Default(job.ArgOr("path", "x")))
		tidemill.Map(lines, "m", func(string) int { return n }).Sink("out", tidemill.JSON())
		_, err = tidemill.ParseArgOr(job, "wait", time.Second, time.ParseDuration)
		return err
	}
	if err := tidemilltest.BuildError(job, tidemilltest.Arg("n", "3"), tidemilltest.Arg("wait", "2s")); err != nil {
		t.Error(err)
	}
	var wrong *tidemill.ArgumentError
	err := tidemilltest.BuildError(job)
	if !errors.As(err, &wrong) || !errors.Is(err, tidemill.ErrMissing) || err.Error() != `missing argument "n": give it as --arg n=VALUE` {
		t.Errorf("without arguments: %v", err)
	}
	err = tidemilltest.BuildError(job, tidemilltest.Arg("n", "three"))
	if !errors.As(err, &wrong) || !errors.Is(err, strconv.ErrSyntax) || wrong.Name != "n" || wrong.Value != "three" {
		t.Errorf("with another type: %v", err)
	}
	err = tidemilltest.BuildError(job, tidemilltest.Arg("n", "3"), tidemilltest.Arg("m", "4"))
	if err == nil || err.Error() != `unknown argument "m": this job takes n, path, wait` {
		t.Errorf("with an unknown argument: %v", err)
	}
}
