// Counts words: a line `word,n` for every word, each time it is seen.
package main

import (
	"strings"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
)

// Word is one word of a line.
type Word struct {
	Word string
}

func wordcount(job *tidemill.Job) error {
	lines := tidemill.Source[string](job, "lines", tidemill.Text().Default("stdin:"))
	words := tidemill.FlatMap(lines, "split", func(line string, words *tidemill.Emitter[Word]) {
		for word := range strings.FieldsSeq(line) {
			words.Emit(Word{Word: strings.ToLower(word)})
		}
	})
	tidemill.KeyBy[string](words, "word").Count("count").Sink("counts", tidemill.CSV().Default("stdout:"))
	return nil
}

func init() { tidemill.Export(wordcount) }

func main() {}
