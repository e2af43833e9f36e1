// Package certificatetest makes certificates for tests of both planes, and for those that look at the programs from outside: an
// authority of the test's own, and what it issues. It knows nothing of how they are read.
package certificatetest
