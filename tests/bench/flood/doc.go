// Package flood measures what a flood of dear bodies does to everybody else: JSON of 10 to 100 KB from a tenth of the clients, to a route that a waf inspects,
// while the others ask that route and one without a waf.
//
// It owns the two loads, which take turns in rounds of one run, and the comparison of their latencies. The stack is package harness's, the clients are package
// load's. Everything is on one machine, so that a processor that the flood takes is taken from whom it is measured by, too.
package flood
