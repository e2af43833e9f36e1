// Package limits says how much an environment may hold, and when that is to be told.
//
// What grows without a bound ends in an outage that nobody planned: a node that runs out of memory, a snapshot that takes minutes. So
// everything an environment holds has a bound, far above what is usual and far below what the parts were measured with, and every bound
// has an alarm at its half, while there is time. The numbers are here, in one place. Who counts is whoever holds: package catalog for the
// configuration, package publish for the directory.
package limits
