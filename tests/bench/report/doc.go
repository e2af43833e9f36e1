// Package report is what a measurement of gateways shows in the end: a Markdown page with a table for each scenario and one of what was expected, and a
// chart in SVG.
//
// It owns the form alone, and judges nothing: what was expected stands beside what was measured.
package report
