// Package openapi enforces policies of the kind "openapi": requests are held against an API description before the service is asked, answers while they pass.
//
// It owns what of an exchange is held against what of a description, and what becomes of it: refused with each place, noted, or let pass. It doesn't own what a description
// means (proto/openapi), when it is compiled (the snapshot), nor how bodies are read, decoded and parsed (dataplane/internal/payload): that happens once for all stages.
//
// A description is found anew on each request, by its id, so that policies needn't be compiled when one changes. What callers sent is never quoted, and names that they
// made up are left out of what operators see.
package openapi
