// Package ratelimit is the stage of the kind "rate-limit": it bounds how many requests one caller may make.
//
// It owns what a caller is told apart by, the fields RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers)
// on answers and refusals, and Retry-After on refusals. It doesn't own the arithmetic, nor the cells (limiter).
//
// Callers are counted per policy, over all routes that it applies to. An address of IPv6 counts by its /64. Who counts by
// key or consumer and meets a request without identity (the route is public, or the authentication only runs in shadow)
// counts that by its address, apart from everybody who is known: anonymous requests share no allowance, and get none for
// free. A request without a header that is counted by is counted together with all others that lack it; several values
// count as one, in their order.
//
// The counters live as long as the policy and everything that it counts by and up to stay the same, through any number of
// revisions. When a window, the properties or the number of callers change, counting starts anew, with full allowances.
//
// With scope fleet the counters are the same, but count against this node's share of the limit (limiter.Shares): what
// RateLimit-Policy tells is the limit, what RateLimit tells is what is left here. A change of the share starts nothing anew.
//
// In a dry run the verdict is what it would be, and nothing is counted.
package ratelimit
