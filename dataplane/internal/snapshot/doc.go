// Package snapshot compiles a revision of the configuration into what a request is decided by.
//
// It owns the [Snapshot] (immutable: routes, their stages, services, settings), [Compile] and [Update], which make one, and
// how a route's policies are gathered and its path forwarded. It doesn't own the objects' rules (proto/resource), the
// index of routes (router), what a stage does (policies), how an upstream is spoken to (a [Sender] made by whoever
// starts the edge), nor when a revision is in force (configsync, by way of a [Holder]).
//
// Data flows: objects as stored → decoded strictly, defaults filled in, checked by the contract's own rules → services,
// policies and routes, each compiled by itself → routes linked with their service and stages → Snapshot. Compiling fails
// closed and whole: every error there is comes back, and no snapshot.
//
// # What a change costs
//
// A snapshot shares with the one before it all that a change doesn't touch. Objects of equal bytes stay as they were
// compiled. The routes' index refers to routes by slot numbers, so that it changes only when a route's match does, and
// then along one path. A changed service or policy links those routes anew that it concerns. What is expensive or counts
// (limiter tables, upstream pools) is found again by its content ([pipeline.Part]).
//
// What is attached to consumers is kept apart from the routes ([pipeline.Overlays]): a change of it links no route anew, and
// costs what it concerns. A change of a route's policies makes all overlays forget what they made of routes, which comes back
// with the first request of each.
package snapshot
