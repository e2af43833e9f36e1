// Package e2e holds the stories that the product promises, against the built programs: one file each, named by what is
// guaranteed. It owns nothing but those; what it takes to tell them is package harness's.
//
// The stories of the shared environment run side by side, each with names and hosts of its own. One that is about a whole
// environment (its revisions, its settings, its usage) has an environment and edges of its own.
package e2e
