//go:build wasip1

package tidemill

import (
	"log/slog"

	// The exports of the contract.
	_ "github.com/tidemill/tidemill/guest-sdk/go/internal/abi"
)

// Whatever a job logs goes to the host, before its own code has run.
func init() {
	slog.SetDefault(slog.New(LogHandler(nil)))
}
