package tidemill_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"unsafe"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/block"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/record"
	"github.com/tidemill/tidemill/guest-sdk/go/tidemilltest"
)

type celsius float64

type place struct {
	Building string
	Room     *int32
}

// everything has a field of every kind.
type everything struct {
	place
	Type      bool
	Small     *int32
	Large     int64
	Native    int
	Warm      celsius
	Raw       []byte
	MaybeRaw  *[]byte
	Name      *string
	MaybeFlag *bool
	MaybeF64  *float64
	MaybeI64  *int64
	Items     []Item
	MaybeMany *[]Item
	HTTPCode  int32
	Meta      map[string][]int `tidemill:",json"`
	Skipped   func()           `tidemill:"-"`
	Inner     inner
	Other     *inner `tidemill:"there"`
}

// inner has a struct that may be absent, and is one itself.
type inner struct {
	N     int64
	Place *place
}

const everythingSchema = "building:string,room:i32?,type:bool,small:i32?,large:i64,native:i64,warm:f64,raw:bytes,maybe_raw:bytes?,name:string?," +
	"maybe_flag:bool?,maybe_f64:f64?,maybe_i64:i64?,items:bytes,maybe_many:bytes?,http_code:i32,meta:bytes,inner.n:i64,inner.place.building:string?,inner.place.room:i32?," +
	"there.n:i64?,there.place.building:string?,there.place.room:i32?"

func maybe[T any](random *rand.Rand, value T) *T {
	if random.IntN(3) == 0 {
		return nil
	}
	return &value
}

func randomText(random *rand.Rand) string {
	text := make([]rune, random.IntN(6))
	for i := range text {
		text[i] = []rune("aü潮\x00🌊")[random.IntN(5)]
	}
	return string(text)
}

func randomEverything(random *rand.Rand) everything {
	items := make([]Item, random.IntN(4))
	for i := range items {
		items[i] = Item{int64(random.Uint64()), randomText(random)}
	}
	if len(items) == 0 {
		items = nil
	}
	in := func() inner {
		return inner{random.Int64(), maybe(random, place{Building: randomText(random), Room: maybe(random, random.Int32())})}
	}
	return everything{
		Inner: in(), Other: maybe(random, in()),
		place: place{Building: randomText(random), Room: maybe(random, int32(random.Uint32()))},
		Type:  random.IntN(2) == 0, Small: maybe(random, int32(random.Uint32())), Large: int64(random.Uint64()), Native: int(random.Uint64()),
		Warm: celsius(random.NormFloat64()), Raw: []byte(randomText(random)), MaybeRaw: maybe(random, []byte(randomText(random))),
		Name: maybe(random, randomText(random)), MaybeFlag: maybe(random, random.IntN(2) == 0), MaybeF64: maybe(random, random.NormFloat64()),
		MaybeI64: maybe(random, int64(random.Uint64())), Items: items, MaybeMany: maybe(random, items), HTTPCode: int32(random.Uint32()),
		Meta: map[string][]int{randomText(random): {1, random.IntN(9)}},
	}
}

func TestTheColumnsOfARecord(t *testing.T) {
	if got := layoutOf[everything](t).Schema.String(); got != everythingSchema {
		t.Errorf("the columns are\n%s, not\n%s", got, everythingSchema)
	}
	for want, layout := range map[string]*record.Layout{
		"value:string": layoutOf[string](t), "value:i64?": layoutOf[*int64](t), "block:bytes": layoutOf[[]Item](t), "value:bytes": layoutOf[[]byte](t),
		"": layoutOf[struct{}](t), "key:string,count:i64": layoutOf[tidemill.KeyCount[string]](t),
		"start:i64,end:i64,key:i64,text:string":           layoutOf[tidemill.WindowRecord[Item]](t),
		"key:i64,text:string,start:i64,end:i64,count:i64": layoutOf[tidemill.WindowCount[Item]](t),
	} {
		if got := layout.Schema.String(); got != want {
			t.Errorf("the columns of %s are %s, not %s", layout.Type, got, want)
		}
	}
}

// Both ways of reading, over chunks of a block that is larger than one of them.
func TestRecordsSurviveABlock(t *testing.T) {
	layout := layoutOf[everything](t)
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 3))
		records := make([]everything, random.IntN(1500))
		builder := record.NewBuilder[everything](layout, layout.Schema.ID())
		for i := range records {
			records[i] = randomEverything(random)
			builder.Push(&records[i], int64(i))
		}
		text := builder.Finish()
		for _, keeps := range []bool{false, true} {
			reader := record.NewReader[everything](layout, keeps)
			b, err := block.Open(text)
			if err == nil {
				err = b.Check()
			}
			if err == nil {
				err = reader.Open(b, record.Source{})
			}
			if err != nil {
				t.Fatal(err)
			}
			for i := range records {
				if got := *reader.At(i); !reflect.DeepEqual(got, records[i]) {
					t.Fatalf("seed %d: record %d is read as\n%+v, not\n%+v", seed, i, got, records[i])
				}
			}
		}
	}
}

func TestTakingRecordsBackLeavesTheBlockOfTheRest(t *testing.T) {
	layout := layoutOf[everything](t)
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 5))
		whole, rest := record.NewBuilder[everything](layout, 1), record.NewBuilder[everything](layout, 1)
		keep := random.IntN(20)
		for i := range keep + random.IntN(20) {
			record := randomEverything(random)
			whole.Push(&record, int64(i))
			if i < keep {
				rest.Push(&record, int64(i))
			}
		}
		whole.Truncate(keep)
		more := randomEverything(random)
		whole.Push(&more, -1)
		rest.Push(&more, -1)
		if got, want := whole.Finish(), rest.Finish(); string(got) != string(want) {
			t.Fatalf("seed %d: after taking back to %d the block is another", seed, keep)
		}
	}
}

func TestACloneSharesNothing(t *testing.T) {
	layout := layoutOf[everything](t)
	random := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		given := randomEverything(random)
		cloned := record.Clone(layout, given)
		if !reflect.DeepEqual(cloned, given) {
			t.Fatalf("the clone of\n%+v is\n%+v", given, cloned)
		}
		if given.Other != nil && (given.Other == cloned.Other || given.Other.Place != nil && given.Other.Place == cloned.Other.Place) ||
			len(given.Items) > 0 && &given.Items[0] == &cloned.Items[0] || given.Small != nil && given.Small == cloned.Small ||
			len(given.Raw) > 0 && &given.Raw[0] == &cloned.Raw[0] ||
			len(given.Building) > 0 && unsafe.StringData(given.Building) == unsafe.StringData(cloned.Building) {
			t.Fatal("the clone shares memory")
		}
	}
}

func TestKeysHaveTheOrderOfTheContract(t *testing.T) {
	type key struct {
		Flag bool
		N    int64
		Raw  []byte
		Name *string
	}
	a, b := "a", "b"
	ascending := []key{
		{false, 9, nil, nil}, {true, math.MinInt64, nil, nil}, {true, -1, nil, nil}, {true, 0, []byte{1}, &b}, {true, 0, []byte{2}, nil},
		{true, 0, []byte{2}, &a}, {true, 0, []byte{2}, &b}, {true, 0, []byte{2, 0}, nil},
	}
	layout := layoutOf[key](t)
	for i := range ascending {
		for j := range ascending {
			order := record.Compare(layout, &ascending[i], &ascending[j])
			if (order < 0) != (i < j) || (order > 0) != (i > j) {
				t.Errorf("%v and %v compare as %d", ascending[i], ascending[j], order)
			}
		}
	}
}

// The runtime makes no garbage per record where records hold none: that is what keeps Go fast in a component.
func TestRecordsGoThroughAChainWithoutGarbage(t *testing.T) {
	type point struct {
		X, Y int64
		Name string
	}
	instance, _ := instanceOf(t, func(job *tidemill.Job) error {
		points := tidemill.Source[point](job, "points", tidemill.JSON())
		moved := tidemill.Map(points, "move", func(p point) point { return point{p.X + 1, p.Y, p.Name} })
		far := tidemill.Filter(moved, "far", func(p point) bool { return p.X > 10 })
		twice := tidemill.FlatMap(far, "twice", func(p point, out *tidemill.Emitter[point]) {
			out.Emit(p)
			out.Emit(p)
		})
		tidemill.Filter(twice, "none", func(point) bool { return false }).Sink("out", tidemill.JSON())
		return nil
	})
	instance.Link(0, []uint32{1, 2, 3, 4})
	points := make([]point, 500)
	for i := range points {
		points[i] = point{int64(i), 0, fmt.Sprint("name ", i)}
	}
	input := append([]byte(nil), blockOf(t, points...)...)
	perCall := testing.AllocsPerRun(20, func() { instance.Process(0, 0, at, input, nil, nil) })
	if perCall > 10 {
		t.Errorf("a call over 500 records makes %v allocations", perCall)
	}
}

func TestWhatATestPushesMustFit(t *testing.T) {
	_, _, err := record.BlockOf(struct{ C chan int }{}, 0)
	if err == nil {
		t.Error("a channel is a column")
	}
	if _, _, err = record.BlockOf(nil, 0); err == nil {
		t.Error("nil is a record")
	}
	test := tidemilltest.Start(t, averages)
	contains(t, fatal(t, func(t testing.TB) { pushTo(t, "readings", Item{}) }), `source "readings" takes records with the columns`, "not tidemill_test.Item")
	test.PushLines("readings", "{\"sensor\": \"a\", \"celsius\": 1, \"at\": 5, \"more\": null}\r\n\n")
	equal(t, "averages", test.SinkLines("averages"))
}

// fatal gives what a test would have failed with.
func fatal(t *testing.T, body func(testing.TB)) (words string) {
	t.Helper()
	spy := &spy{TB: t}
	defer func() {
		if recovered := recover(); recovered != any(spy) {
			t.Errorf("the test did not fail: %v", recovered)
		}
		words = spy.words
	}()
	body(spy)
	return ""
}

type spy struct {
	testing.TB
	words string
}

func (s *spy) Fatalf(format string, args ...any) {
	s.words = fmt.Sprintf(format, args...)
	panic(s)
}

func pushTo(t testing.TB, source string, records ...any) {
	tidemilltest.Start(t, averages).Push(source, records...)
}
