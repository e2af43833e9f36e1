// Package effort bounds what inspecting requests costs a node: time of a processor, per address, per credential and in all, and how many
// inspections are at work at once.
//
// It owns the meters, the turns and their order. It owns no verdict on a request but that there is no time for it, and no inspection.
package effort
