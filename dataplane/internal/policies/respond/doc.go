// Package respond is the stage of the kind "respond": it answers in place of the service.
//
// It owns the fixed answer, the location of a redirect made of its parts, and the notice of maintenance. It doesn't own how an
// answer ends the stages (pipeline, Reply), nor which locations are safe: the contract lets variables stand only behind a literal
// host.
//
// What of a request goes into a location is in its canonical form, which holds no control character, no delimiter and no second
// reading; in a query it is escaped further, so that no value adds a parameter. A parameter that the route doesn't have fails the
// request (policy_failed): a redirect to somewhere else than was meant is none.//
// The query goes on as it came, but for keys of this gateway when the location names another host: before authentication they are still
// in it, and who is asked there must not learn them.
package respond
