// Package historytest checks a property on random histories. The tests of both planes use it: what a node does with whatever
// comes over the wire, and what the control plane puts on it, are shown by histories of the same kind.
//
// A history is a list of steps, made of nothing but a seed. The same seed makes the same history, for ever as long as its generator
// stays. One that breaks the property is made small: runs of steps are left out, then single ones, for as long as what is
// left still breaks it. So a step must mean something, or do nothing, whatever came before it.
//
// SALLYPORT_SEED=7 replays one seed; SALLYPORT_LONG=1 tries many more. The package knows nothing of what a step is.
package historytest
