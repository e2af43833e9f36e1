// Package chaos kills the built programs while traffic runs, and holds the product to what it promises of that: edges go on
// deciding, what was acknowledged is kept, and everybody finds their way back by themselves.
//
// It owns the traffic and the writers that run meanwhile; how to start, kill and revive a program is package harness's. Its
// stack is its own: a story here may break what others rely on, so the stories run one after the other.
package chaos
