package tidemill_test

import (
	"fmt"
	"testing"
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
	"github.com/tidemill/tidemill/guest-sdk/go/tidemilltest"
)

// Line of a user; one that is complete says that nothing older follows it.
type Line struct {
	User     string
	At       int64
	Complete bool
}

// linesPerMinute counts the lines of users once somebody has said that a minute is complete.
func linesPerMinute(job *tidemill.Job) error {
	lines := tidemill.GenerateWatermarks(tidemill.Source[Line](job, "lines", tidemill.JSON()), "at", timeOfLine,
		tidemill.Punctuated(func(line Line, at int64) (int64, bool) { return at, line.Complete }))
	tidemill.KeyBy[string](lines, "user").Window(tidemill.Tumbling(time.Minute)).Count("count").Sink("counts", tidemill.CSV())
	return nil
}

func timeOfLine(line Line) int64 { return line.At }

// Watermarks by marks that stand in the records.
func ExamplePunctuated() {
	test := tidemilltest.Start(&testing.T{}, linesPerMinute)
	test.Push("lines", Line{User: "ann", At: 1_000}, Line{User: "ann", At: 65_000})
	fmt.Println(test.SinkLines("counts"))
	test.Push("lines", Line{User: "ann", At: 62_000, Complete: true})
	fmt.Println(test.SinkLines("counts"))
	// Output:
	// []
	// [ann,0,60000,1]
}

// cautious holds the greatest time back by twice the gap that it saw last.
type cautious struct{ greatest, gap int64 }

func (c *cautious) OnEvent(_ int64, eventTime int64) (int64, bool) {
	c.gap = max(eventTime-c.greatest, c.greatest-eventTime)
	c.greatest = max(c.greatest, eventTime)
	return c.greatest - 2*c.gap - 1, true
}

func (c *cautious) OnPeriodic(int64) (int64, bool) { return 0, false }

// A generator of one's own, alone under test.
func ExampleGenerator() {
	test := tidemilltest.StartWatermarks(&testing.T{}, tidemill.Generator(func() *cautious { return &cautious{} }))
	test.Push(0, 100)
	test.Push(0, 110)
	fmt.Println(test.Watermark())
	test.Push(0, 70)
	fmt.Println(test.Watermark()) // A lower one changes nothing.
	// Output:
	// 89 true
	// 89 true
}

// The least of the last two times, by the clock.
func ExamplePeriodic() {
	test := tidemilltest.StartWatermarks(&testing.T{}, tidemill.Periodic(time.Second,
		func(last *[2]int64, _ string, eventTime int64) { last[0], last[1] = last[1], eventTime },
		func(last *[2]int64, _ int64) (int64, bool) { return min(last[0], last[1]), true }))
	test.Push("a", 5_000)
	test.Push("b", 4_000)
	_, asked := test.Watermark()
	fmt.Println(asked)
	test.SetProcessingTime(1_000)
	fmt.Println(test.Watermark())
	// Output:
	// false
	// 4000 true
}

// teller says what it was shown, and by the clock how much that was; it keeps the texts.
type teller struct {
	seen  []string
	asked int
}

func (s *teller) OnEvent(item Item, eventTime int64) (int64, bool) {
	s.seen = append(s.seen, item.Text)
	return item.Key, item.Key >= 0
}

func (s *teller) OnPeriodic(now int64) (int64, bool) {
	s.asked++
	return now + int64(len(s.seen)), len(s.seen) > 0
}

// told is a job with a teller, which notes the tellers that it makes.
func told(tellers *[]*teller, every time.Duration) func(*tidemill.Job) error {
	return func(job *tidemill.Job) error {
		generator := tidemill.Generator(func() *teller {
			made := &teller{}
			*tellers = append(*tellers, made)
			return made
		})
		if every != 0 {
			generator = generator.Every(every)
		}
		items := tidemill.Source[Item](job, "items", tidemill.JSON())
		timed := tidemill.GenerateWatermarks(items, "timed", func(item Item) int64 { return item.Key }, generator)
		tidemill.KeyBy[string](timed, "text").Window(tidemill.Tumbling(100*ms)).Count("n").Sink("out", tidemill.CSV())
		return nil
	}
}

func TestEverySplitHasAGeneratorOfItsOwn(t *testing.T) {
	var tellers []*teller
	instance, _ := instanceOf(t, told(&tellers, 0))
	asked := func(split uint32, now int64, block []byte) string {
		return fmt.Sprint(instance.Watermark(1, split, now, block))
	}
	is(t, "the greatest of a block", asked(7, 0, blockOf(t, Item{5, "a"}, Item{9, "b"}, Item{6, "c"})), "9 true")
	is(t, "one that is below 0", asked(2, 0, blockOf(t, Item{-1, "d"})), "0 false")
	is(t, "by the clock", asked(7, 40, nil), "43 true")
	is(t, "of another split", asked(2, 40, nil), "41 true")
	is(t, "of a split that nothing has come from", asked(0, 40, nil), "40 false")
	is(t, "generators", len(tellers), 3)
	asked(7, 0, blockOf(t, Item{1, "overwritten?"}))
	equal(t, "texts that were kept", tellers[0].seen, "a", "b", "c", "overwritten?")
	instance.ForgetSplits(1)
	is(t, "as in a fresh instance", asked(7, 40, nil), "40 false")
	contains(t, panics(t, func() { instance.Watermark(2, 0, 0, nil) }), "operator 2 is not one that this component computes")
	contains(t, panics(t, func() { asked(0, 0, []byte("no block")) }), "the host gave a wrong block")
}

func TestAnOperatorWithoutAGeneratorIsNotAskedForWatermarks(t *testing.T) {
	instance, _ := instanceOf(t, func(job *tidemill.Job) error {
		lines := tidemill.Source[Line](job, "lines", tidemill.JSON())
		tidemill.AssignEventTime(lines, "at", timeOfLine, tidemill.Monotonic()).Sink("out", tidemill.JSON())
		return nil
	})
	contains(t, panics(t, func() { instance.Watermark(1, 0, 0, nil) }), "an operator that makes none of its own")
}

func TestWatermarksOfTheJobStandInThePlan(t *testing.T) {
	var tellers []*teller
	for every, want := range map[time.Duration]string{
		0:         `{"timestamps": {"guest": {}}}`,
		200 * ms:  `{"timestamps": {"guest": {"every-ms": 200}}}`,
		time.Hour: `{"timestamps": {"guest": {"every-ms": 3600000}}}`,
	} {
		says(t, operatorOf(t, planOf(t, told(&tellers, every)), "timed"), `{"name": "timed", "kind": `+want+
			`, "inputs": [{"from": "items"}], "outputs": [{"schema": "key:i64,text:string"}]}`)
	}
	contains(t, fmt.Sprint(tidemilltest.BuildError(told(&tellers, 1500*time.Microsecond))),
		"the interval of watermarks is 1.5ms: time is counted in whole milliseconds")
}

func TestWindowsFollowWatermarksOfTheJob(t *testing.T) {
	var tellers []*teller
	test := tidemilltest.Start(t, told(&tellers, 200*ms))
	test.Push("items", Item{-50, "a"}, Item{-10, "a"}, Item{-20, "b"})
	equal(t, "no watermark was given", test.SinkLines("out"))
	test.SetProcessingTime(199)
	equal(t, "it is not time to ask", test.SinkLines("out"))
	test.SetProcessingTime(200)
	equal(t, "by the clock", test.SinkLines("out"), "a,-100,0,2", "b,-100,0,1")
	test.SetProcessingTime(399)
	is(t, "so long has not passed since", tellers[0].asked, 1)
	test.Push("items", Item{310, "a"})
	test.Push("items", Item{250, "b"})
	equal(t, "what is late is late", test.SinkLines("out"))
	test.Restart()
	test.SetProcessingTime(500)
	equal(t, "a new generator has seen nothing", test.SinkLines("out"))
	test.Push("items", Item{399, "a"})
	equal(t, "by a record", test.SinkLines("out"), "a,300,400,2")
	is(t, "generators, of the only split", len(tellers), 2)
	test.Finish()
}

func TestAGeneratorAloneStartsAnew(t *testing.T) {
	test := tidemilltest.StartWatermarks(t, tidemill.Generator(func() *cautious { return &cautious{} }))
	_, given := test.Watermark()
	is(t, "before the first", given, false)
	test.Push(0, 100)
	test.Push(0, 101)
	test.Restart()
	test.Push(0, 102)
	watermark, _ := test.Watermark()
	is(t, "what a new one says is lower", watermark, 98)
}

func TestWhatFailsInAGeneratorIsToldWithItsRecord(t *testing.T) {
	instance, heard := instanceOf(t, func(job *tidemill.Job) error {
		items := tidemill.Source[Item](job, "items", tidemill.JSON())
		tidemill.GenerateWatermarks(items, "timed", func(item Item) int64 { return item.Key }, tidemill.Punctuated(func(item Item, at int64) (int64, bool) {
			if item.Text == "b" {
				panic("b is no text")
			}
			return at, true
		})).Sink("out", tidemill.JSON())
		return nil
	})
	func() {
		defer func() { instance.Call().Report(recover()) }()
		instance.Watermark(1, 0, 0, blockOf(t, Item{1, "a"}, Item{2, "b"}))
	}()
	contains(t, heard.lines[0], "operator 1 row 1: b is no text at ", "watermark_test.go:")
}
