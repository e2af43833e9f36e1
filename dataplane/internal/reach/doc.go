// Package reach connects a node to the control plane: to whichever of its replicas answers.
//
// It owns the list of addresses ([Parse]), in which order they are tried, and when a connection counts as dead
// ([Dial]): a node moves to another replica within seconds of the death of the one that it was at, whether that died
// with a word or without. Who the other side is and what is said there is the caller's: enroll and configsync.
package reach
