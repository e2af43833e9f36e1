// Package harness runs the built programs for the black-box tests, and speaks to them as a user would.
//
// It owns the stack that a test package shares ([Main]), environments with edges of their own ([Stack.NewEnvironment]),
// requests to an edge (through a client, or as raw bytes), services that record what reached them ([Upstream], and
// [RawUpstream], which reads by the letter and answers with any bytes), reading an edge's metrics, and waiting with a bound
// ([Eventually]). It owns no expectation about the product: those are the stories' in e2e and chaos, and the attacks' in
// conformance. What it needs below its folder is deploy/local, which knows the programs' command lines.
//
// A test makes a [Story]: names and hosts of its own in an environment, so that stories run side by side. Every write of
// a story waits until all edges of the environment have it (?wait=), so that what follows needs no waiting at all: a
// story that would pass with a pause proves less than one that passes without.
//
// The programs come from SALLYPORT_BIN, or from bin/ above the current folder; `make build` puts them there. What they
// print goes to one file per run, the end of which is shown when a test fails.
package harness
