// Package identitykey holds what an environment signs identity tokens with: keys for ES256 and EdDSA, which the control plane makes and
// renews, and nodes sign with.
//
// It owns how keys are made and read, what they are called (their thumbprints, RFC 7638), which of several signs at a time, how long each
// stays published, and the set of their public halves that services see (RFC 7517, section 5). It owns neither where they lie (the
// directory of either plane) nor what is signed (the edge's policy).
//
// A key is published before it signs, for as long as anybody may keep the set of keys that they fetched, and stays published after the
// last token that it signed has ended. So a rotation refuses no token, however services fetch.
package identitykey
