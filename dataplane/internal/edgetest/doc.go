// Package edgetest compiles a configuration written as JSON and runs exchanges through it, for tests: the real snapshot,
// router, stages and directory, in process, without a network and with a clock that the test moves.
//
// It owns the writing of configurations and directories in tests, and one request's way from its canonical path to the
// end of its stages. It doesn't own the upstream: an allowed request is answered 200 here.
package edgetest
