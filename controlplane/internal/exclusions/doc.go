// Package exclusions proposes what the WAF should leave out, of a request in which it found something that is none.
//
// It owns which findings must go for such a request to pass (the fewest), how narrow an exclusion of each can be, and in which words is told what it would
// open ([Suggester]). It owns neither the findings, which are kept with the request (package usage), nor the trial, which a node makes on what it has
// (dataplane/internal/trial); nothing is written here: what is proposed can be posted as it is.
//
// Data flows a request's findings → proposals → a node's trial → verdict and sentences.
package exclusions
