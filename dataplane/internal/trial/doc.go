// Package trial tries an exclusion of the WAF on the node that would serve by it: what of the requests that really came, and of the attacks of the Core
// Rule Set's own tests, is refused now and would pass with it.
//
// It owns the trial ([Tester]): which samples and attacks are tried, how an attack is put into the exclusion's target ([placements]), and the bounds:
// one trial at a time, a few seconds, half of one processor at most. It owns no inspection: the stage that serves inspects ([Inspector]), by the
// configuration in force and with what is excluded already. Nothing of a sample leaves it but counts.
package trial
