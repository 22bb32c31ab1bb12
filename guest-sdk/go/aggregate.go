package tidemill

import "math"

// Aggregator says how records become an accumulator and the accumulator a result. [Count], [Sum], [Mean], [Min] and [Max] are ready.
//
// Adding must not depend on the order of records, and merging must give what adding all records to one accumulator would: the host merges
// sessions that grow together, and shares accumulators between sliding windows.
type Aggregator[T, Acc, R any] struct {
	// Start makes the accumulator of no records; without it, that is the zero value.
	Start func() Acc
	// Add adds a record.
	Add func(acc *Acc, record T)
	// Merge adds what another accumulator holds.
	Merge func(acc *Acc, other Acc)
	// Result is the result of an accumulator.
	Result func(acc Acc) R
}

// Number can be summed, averaged and compared.
type Number interface {
	~int32 | ~int64 | ~int | ~float64
}

// MeanOf is the accumulator of [Mean].
type MeanOf struct {
	// Sum of the values.
	Sum float64 `tidemill:"f0"`
	// N is how many there are.
	N int64 `tidemill:"f1"`
}

// Count is the number of records.
func Count[T any]() Aggregator[T, int64, int64] {
	return Aggregator[T, int64, int64]{
		Add:    func(acc *int64, _ T) { *acc++ },
		Merge:  func(acc *int64, other int64) { *acc += other },
		Result: func(acc int64) int64 { return acc },
	}
}

// Sum is the sum of integers, which wraps around, as Flink's does. For other numbers there is [SumFloat].
func Sum[T any](value func(T) int64) Aggregator[T, int64, int64] { return sum(value) }

// SumFloat is the sum of numbers.
func SumFloat[T any](value func(T) float64) Aggregator[T, float64, float64] { return sum(value) }

func sum[T any, V int64 | float64](value func(T) V) Aggregator[T, V, V] {
	return Aggregator[T, V, V]{
		Add:    func(acc *V, record T) { *acc += value(record) },
		Merge:  func(acc *V, other V) { *acc += other },
		Result: func(acc V) V { return acc },
	}
}

// Mean is the arithmetic mean.
func Mean[T any, V Number](value func(T) V) Aggregator[T, MeanOf, float64] {
	return Aggregator[T, MeanOf, float64]{
		Add: func(acc *MeanOf, record T) {
			acc.Sum += float64(value(record))
			acc.N++
		},
		Merge: func(acc *MeanOf, other MeanOf) {
			acc.Sum += other.Sum
			acc.N += other.N
		},
		Result: func(acc MeanOf) float64 { return acc.Sum / float64(acc.N) },
	}
}

// Min is the least value.
func Min[T any, V Number](value func(T) V) Aggregator[T, V, V] {
	return extreme(value, greatest[V], func(a, b V) bool { return a < b })
}

// Max is the greatest value.
func Max[T any, V Number](value func(T) V) Aggregator[T, V, V] {
	return extreme(value, least[V], func(a, b V) bool { return a > b })
}

func extreme[T any, V Number](value func(T) V, start func() V, better func(a, b V) bool) Aggregator[T, V, V] {
	merge := func(acc *V, other V) {
		if better(other, *acc) {
			*acc = other
		}
	}
	return Aggregator[T, V, V]{
		Start:  start,
		Add:    func(acc *V, record T) { merge(acc, value(record)) },
		Merge:  merge,
		Result: func(acc V) V { return acc },
	}
}

// greatest is above or equal to all other numbers of a type.
func greatest[V Number]() V { return bound[V](math.MaxInt32, math.MaxInt64, math.Inf(1)) }

// least is below or equal to all other numbers of a type.
func least[V Number]() V { return bound[V](math.MinInt32, math.MinInt64, math.Inf(-1)) }

func bound[V Number](i32 int32, i64 int64, f64 float64) V {
	half := 0.5
	switch narrow := V(i64); {
	case V(half) != 0:
		return V(f64)
	case int64(narrow) == i64:
		return narrow
	default:
		return V(i32)
	}
}
