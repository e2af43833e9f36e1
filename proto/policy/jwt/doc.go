// Package jwt is the contract of the kind "jwt": it proves a consumer by a token of an issuer that is trusted.
//
// It owns the kind's name, phase, traits and deep validation. It owns neither what an issuer's tokens must look like (the resource
// "issuers"), nor the stage that reads them (the edge).
package jwt
