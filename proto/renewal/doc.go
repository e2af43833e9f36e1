// Package renewal is the proof by which a node whose certificate has ended gets another: a signature
// by that certificate's key over the control plane's nonce, the certificate, and the request for the
// next one.
//
// It owns what is signed, so that both sides sign and check the same bytes. It doesn't decide who may
// renew: which certificates, nonces and nodes are good is the control plane's to tell.
package renewal
