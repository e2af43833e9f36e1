// Package gateway is Sallyport in a measurement: a stack, an environment with what the sites need, and edges that are started as a scenario asks for it.
//
// It owns what is written through the admin API (routes, policies, 100,000 keys, the certificate), revisions under load, and what an edge tells about its
// own time. The stack is package harness's. What the built edge can't do yet it says in words, as any peer does: it asks the edge, not a version.
package gateway
