// Package cors is the contract of the kind "cors": it says which web pages of other origins may call and read the answers.
//
// It owns the kind's name, phase, traits and deep validation, and how an origin is written ([ParseOrigin]). It does not own the
// protocol (Fetch standard, section 3.3): that is the edge's stage.
package cors
