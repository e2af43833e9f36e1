// Package router finds the route of a request among ten thousand.
//
// It owns the [Table], an immutable index of rules by host, path, method, header and query, and the order of precedence
// that sallyport.config.v1.Route documents. It doesn't own what a route leads to: a match is a slot number and the place
// of the path that matched, which the snapshot turns into a route. It never waits and never fails.
//
// Data flows: rules → [Edit] → Table; Request → [Table.Match] → [Match].
//
// # Precedence
//
// Of all rules that match, the one wins whose match is the most specific, compared in this order: an exact host, then the
// longest wildcard host, then any host; an exact path, then a template (compared segment by segment, a literal before a
// parameter), then the longest prefix; more header conditions; more query conditions; stated methods before any method.
// Two rules that tie in all of it are refused when they are written; should they meet here, the older id wins. A wildcard
// label stands for one label or several. A parameter stands for one segment that isn't empty. A prefix ends on a
// segment's border: "/orders" matches "/orders" and "/orders/7", "/orders/" only what is below.
//
// # Structure
//
// Hosts are found in a map (exact), then in a map of suffixes (wildcards, longest first), then there is the host of all.
// Each host has a map of exact paths, a tree of templates and a tree of prefixes, both by segment, and with
// a node only where paths part. The search tries them in the order of precedence and steps back when conditions don't
// hold, so that the first hit is the answer. What an Edit removes leaves its forks behind, as long as anything lies beyond.
//
// A Table never changes. An Edit shares all that it doesn't touch with the table that it started from, so that changing
// one rule of ten thousand copies one path through the trees.
package router
