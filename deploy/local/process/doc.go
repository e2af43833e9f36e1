// Package process runs one program of the local stack as a child: starts it, ends it, knows when it is gone.
//
// It does not know what the programs are, nor when they should run again: stack does. On Linux a child dies with its
// parent, however that ends.
package process
