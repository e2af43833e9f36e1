// Package postgres is all of the control plane's SQL: it implements each domain's Store, and nothing
// decides here.
//
// It owns the pool, the migrations' runner ([Migrate]), transactions, what errors of the database mean
// to a domain, and the news of commits ([Listener]). There is one Go file and one file of queries per
// domain; sqlc turns queries/ into dbsqlc/, with migrations/ as the schema. Only what sqlc can't say is
// written by hand.
//
// Connections go to the host that takes writes, of all that the URL names, and end soon after it does. One
// connection may hold the claim of the embedded bus ([BusClaim]).
//
// Every write of either lane tells the channel sallyport_commits in its transaction which environment
// it changed. That only wakes: who listens reads the database, and a slow poll finds what a broken
// connection didn't tell.
package postgres
