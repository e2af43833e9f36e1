// Package machine is what measuring needs of the operating system: which processors a program may use, what its processes have used
// of them and of memory, and a clock that ticks on time.
//
// It owns the reading of /proc and the few system calls for that, on Linux; elsewhere everything says [ErrSystem]. It starts nothing.
package machine
