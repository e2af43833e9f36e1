// Package conformance attacks a running edge with what the public literature on request and response smuggling knows, and more that follows from
// the grammar of RFC 9112: byte by byte, in every combination.
//
// Each case says the statuses that a client is to get, and what is to reach the service behind the edge. The service reads by the letter and notes
// all that isn't canonical (harness.RawUpstream), so a case fails in three ways: another answer, another request at the service, or a
// request that could be read in another way there. On the side of answers the service is the attacker, and no client may get what
// was meant for another one.
//
// It also sends the Core Rule Set's own tests through the edge: what becomes of those that don't end as their authors expect is in
// testdata/crs_regression.tsv.
//
// It owns the attacks and what is expected of them; what it takes to run them is package harness's.
package conformance
