package main

import (
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
)

// Ride is a line of the input.
type Ride struct {
	Line   string
	Metres int64
	At     int64
}

// Week is what a line had in a week.
type Week struct {
	Line   string
	From   int64
	Hours  int64
	Rides  int64
	Metres int64
}

// windowsDay are rides by calendar days and weeks of a time zone, over the nights in which its clocks are changed.
func windowsDay(job *tidemill.Job) {
	source := tidemill.Source[Ride](job, "rides", tidemill.JSON()).EventTime("at", tidemill.OutOfOrder(2*time.Hour))
	rides, days := tidemill.KeyBy[string](source, "line"), tidemill.CalendarDays("Europe/Berlin")
	rides.Window(days).Count("daily").Sink("days-out", tidemill.JSON())
	metres := summed(func(ride Ride) int64 { return ride.Metres })
	tidemill.Aggregate(rides.Window(days.Every(7)), "weekly", metres, func(window tidemill.Window[string], sums Hits) Week {
		hours := (window.End - window.Start) / time.Hour.Milliseconds()
		return Week{Line: window.Key(), From: window.Start, Hours: hours, Rides: sums.Hits, Metres: sums.Bytes}
	}).Sink("weeks-out", tidemill.JSON())
}
