// Package waf is the stage of the kind "waf": it has engines (dataplane/internal/waf) inspect requests, and answers where asked, and does what follows from what they say.
//
// It owns the settings' meaning: what of a body is looked at, what becomes of what lies beyond, who pays for it, which rules look at what, what is told
// to callers (nothing but that they are refused) and to operators (rules, places, scores). It doesn't own rules (proto/ruleset), engines and decisions (waf), the
// time that inspections may cost (effort), nor bodies and what hides in their codings (payload).
//
// A request, step by step: its head is inspected, within the caller's allowance; only then is its body read, as far as max_bytes go, its coding undone, and inspected with the head, which is when
// nearly all rules run. What switches protocols, and gRPC, has no body that anybody could wait for: its head is all. An inspection whose answer is looked at too is kept with the
// exchange (pipeline, Keep) and goes on in Response; event streams, gRPC, tunnels and answers that don't come to an end are left alone.
//
// What a request says of itself would decide that, so gRPC must be allowed (protocol.grpc): elsewhere a body that calls itself gRPC is looked at as any other, and rule 920420 refuses its type.
//
// Engines are shared by the rules' digest over policies, routes and revisions (pipeline.Parts): what bounds bodies, budgets and samples, and exceptions that hold on
// some paths alone, aren't part of it.
package waf
