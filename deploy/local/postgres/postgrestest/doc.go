// Package postgrestest gives each test a PostgreSQL database of its own, on a real server.
//
// The first test of a process that asks starts a server (package postgres finds or fetches the binaries);
// it ends with the process. Processes that `go test ./...` runs side by side get a server each: a small
// row of folders ("slots") in the cache, each locked by the process that uses it. A slot's cluster stays for
// the next process, so that only the first run on a machine pays for initdb. Data of such a server
// aren't safe from a power cut (fsync is off), and needn't be.
//
// A migration runs once per process, into a template; each test's database is a copy of that.
// Where DATABASE_URL names a server, databases are made there instead, each migrated by itself, since
// nobody would remove a template there.
package postgrestest
