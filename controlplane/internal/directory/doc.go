// Package directory is what is the case now in an environment: consumers, their API keys and passwords, secrets, the
// peppers that key digests are made with, the keys that session tickets are sealed with, and the blocks on who is let in no more.
//
// Each is a row that people see (an adminv1 message) and an entry that nodes hold (directoryv1). An
// entry's bytes, hash and sequence are kept once, by its key; an entry that is gone stays as a
// tombstone. Entries of secrets, passwords and peppers are sealed at rest under their environment and key, and
// hashed as they are sent, so that sealing them anew changes nothing.
//
// The package owns the forms of rows and entries ([Consumer], [APIKey], [Password], [Secret], [Block], [NewPepper]), the
// reads ([Directory.Get], [Directory.List]) and the digest of each environment's lane ([Digests]). It
// doesn't write: package publish does, in the one transaction that may also make a revision.
package directory
