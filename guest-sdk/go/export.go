package tidemill

import "github.com/tidemill/tidemill/guest-sdk/go/internal/bridge"

// Export makes a job the one that the component runs. It is called once, in an init function of package main, whose main function stays
// empty:
//
//	func init() { tidemill.Export(averages) }
//
//	func main() {}
func Export(job func(*Job) error) {
	if bridge.Exported != nil {
		panic("a component exports one job: tidemill.Export is called twice")
	}
	bridge.Exported = job
}
