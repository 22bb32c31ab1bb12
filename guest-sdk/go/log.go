package tidemill

import (
	"bytes"
	"context"
	"log/slog"
	"strings"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/runtime"
)

// LevelTrace is below [slog.LevelDebug]: for looking for a bug.
const LevelTrace = slog.LevelDebug - 4

// LogHandler writes to the log of the job. A line carries the operator that wrote it; the host cuts lines at 4 KiB and counts what
// comes too fast. In a component slog's default logger, and with it package log, writes here from the beginning; what functions print goes to the
// log too.
//
// Outside of a call of the host lines go to `otherwise`, or nowhere where that is nil.
func LogHandler(otherwise slog.Handler) slog.Handler {
	return &logHandler{otherwise: otherwise}
}

type logHandler struct {
	otherwise slog.Handler
	// shape adds the attributes and groups of the logger to a handler of text.
	shape []func(slog.Handler) slog.Handler
}

// Enabled leaves the choice to the host.
func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return runtime.Current() != nil || h.otherwise != nil && h.otherwise.Enabled(ctx, level)
}

// Handle writes a line: the message, then its attributes.
func (h *logHandler) Handle(ctx context.Context, record slog.Record) error {
	call := runtime.Current()
	if call == nil {
		if h.otherwise == nil {
			return nil
		}
		return h.shaped(h.otherwise).Handle(ctx, record)
	}
	var out bytes.Buffer
	leaveOut := func(groups []string, attribute slog.Attr) slog.Attr {
		if len(groups) == 0 && (attribute.Key == slog.TimeKey || attribute.Key == slog.LevelKey || attribute.Key == slog.MessageKey) {
			return slog.Attr{}
		}
		return attribute
	}
	text := slog.NewTextHandler(&out, &slog.HandlerOptions{Level: LevelTrace, ReplaceAttr: leaveOut})
	if err := h.shaped(text).Handle(ctx, record); err != nil {
		return err
	}
	call.Log(hostLevel(record.Level), strings.TrimRight(record.Message+" "+out.String(), " \n"))
	return nil
}

func (h *logHandler) shaped(handler slog.Handler) slog.Handler {
	for _, add := range h.shape {
		handler = add(handler)
	}
	return handler
}

// WithAttrs gives a handler with attributes.
func (h *logHandler) WithAttrs(attributes []slog.Attr) slog.Handler {
	return h.with(func(handler slog.Handler) slog.Handler { return handler.WithAttrs(attributes) })
}

// WithGroup gives a handler with a group.
func (h *logHandler) WithGroup(name string) slog.Handler {
	return h.with(func(handler slog.Handler) slog.Handler { return handler.WithGroup(name) })
}

func (h *logHandler) with(add func(slog.Handler) slog.Handler) slog.Handler {
	return &logHandler{otherwise: h.otherwise, shape: append(h.shape[:len(h.shape):len(h.shape)], add)}
}

func hostLevel(level slog.Level) runtime.Level {
	switch {
	case level < slog.LevelDebug:
		return runtime.Trace
	case level < slog.LevelInfo:
		return runtime.Debug
	case level < slog.LevelWarn:
		return runtime.Info
	case level < slog.LevelError:
		return runtime.Warn
	default:
		return runtime.Error
	}
}
