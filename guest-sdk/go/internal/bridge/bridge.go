// Package bridge lets the component and the test kit build jobs, which only package tidemill can.
package bridge

import "github.com/tidemill/tidemill/guest-sdk/go/internal/runtime"

var (
	// Build makes an instance of a `func(*tidemill.Job) error`, with its plan document.
	Build func(define any, arguments []runtime.Argument, host runtime.Host) (*runtime.Instance, string, error)
	// Exported is the job that the component exports.
	Exported any
	// Began is told the call of an instance before its job is built.
	Began = func(*runtime.Call) {}
)
