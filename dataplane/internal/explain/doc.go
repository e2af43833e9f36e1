// Package explain answers what this node would do with a request, and why.
//
// It owns the rehearsal: a request that nobody sent is taken through the code that serves, from its bytes on, in a dry run
// ([pipeline.Exchange.Dry]): the listener's own server reads it off a connection in memory, the proxy finds its route and runs
// its stages, and the answer is written and read again. So an explanation can't say anything else than what happens. It owns too
// what is told of it ([Explainer.Explain]) and what isn't: values that may be secrets.
//
// It doesn't own a single decision. That a dry run counts nothing and spends nothing is the stages' own duty, which the test of
// all kinds (policies) holds; that no service is asked is the proxy's.
//
// Data flows: question → head → listener.Rehearse ▸ proxy → notes → Explanation. Nothing is kept.
package explain
