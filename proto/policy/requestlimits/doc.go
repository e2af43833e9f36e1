// Package requestlimits is the contract of the kind "request-limits": it bounds what a request may look like.
//
// It owns the kind's name, phase, traits and deep validation. It does not own how media types are written (mediatype), nor the counting:
// that is the edge's stage, of bodies its pipeline.
package requestlimits
