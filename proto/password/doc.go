// Package password is what passwords of callers are compared by: an Argon2id digest (RFC 9106), made by the control plane and checked by
// nodes.
//
// A digest takes 19 MiB and two passes in one lane, as OWASP recommends at least: some hundredths of a second, so that whoever has the
// digest can't guess much and whoever checks one must see to it that few are checked at a time. It owns the cost, the bounds within which a digest of
// other cost is still taken, and making and comparing. It doesn't own how long or good a password must be (the API), nor who may
// check how many (the edge). No password is in an error, and none is kept.
package password
