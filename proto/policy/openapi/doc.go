// Package openapi is the contract of the kind "openapi": requests, and answers in shadow, are held against an API description.
//
// It owns the kind's name, phase, traits and deep validation, and what a change of it means for callers. It doesn't own what a description means (proto/openapi) nor the
// descriptions themselves, which are objects of their own (collection "api-descriptions"), nor the stage (the edge).
package openapi
