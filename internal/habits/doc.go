// Package habits holds what we agreed on and no compiler checks: who may import whom (the table in
// imports.go), that every package says what it is for, how long a file may grow, which names and calls
// we don't use. Its tests read the sources of all modules; nothing imports it, and it imports nothing of ours.
//
// Every check is itself tested on sources that break it, so that none can pass by looking at nothing.
// Folders that aren't there yet break no habit.
package habits
