package postgres

import "syscall"

const needsWatchdog = false

// dieWithParent has the kernel ask the server for a fast shutdown when we die, however we do.
func dieWithParent(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGINT }
