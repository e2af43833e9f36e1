// Package telemetry is what the control plane tells about itself: its log ([NewLogger]) and its
// metrics ([Metrics]).
//
// It owns the log's form and the one list of metric names; what is counted lies with whoever counts
// it (fleet.Stats, usage.Stats), and is read only when somebody asks.
package telemetry
