// Package scenarios is what gateways are compared in, and how: it starts the contestants of each scenario, lets them take turns round by round, and makes a report
// of the medians.
//
// It owns the scenarios (catalogue.go), what is expected in each, the turns and the arithmetic. Clients are package load's, gateways package peers' and
// package gateway's, processors and /proc package machine's. It judges nothing.
package scenarios
