// Package handover passes the listening sockets of a running edge to its next process, so that an upgrade drops nothing: neither a request
// under way nor a connection that waits to be accepted.
//
// It owns the unix socket in the data directory on which the running process can be asked, the few messages spoken there, and who may
// speak: processes of the same user, by the kernel's word. It also reads the sockets that a service manager passes on ([Activation]), and
// tells it how far the process is ([Activation.Notify]). It does not own what is handed over, nor what either process does before and after.
//
// The next process asks (hello); the running one makes its disk stand still and sends its sockets, its clients' and its operator's, and its
// lock of the data directory (offer). It goes on accepting and answering. The next one loads what lies on the disk, joins the control plane
// and says when it could serve, and what it has heard (ready). If the running one has heard more it is told to wait for that (wait): nothing
// that was in force here, a revocation least of all, is out of force there. Else it is its turn (serve): it takes the right to write, says so
// (serving) and accepts. Only then does the one before stop accepting, and answers what it has accepted. The sockets are the same ones
// all the time, so there is always somebody who takes what waits in their queue.
//
// Until serving has been read the running process can go on as if nothing had happened, and does so whenever the next one says something
// wrong, dies, or takes too long. Who of the two writes is decided by the writer's lock of the data directory (datadir), so that neither
// a process that hung and wakes late, nor a message lost, makes two writers. A next process that loses sight of the one before it takes that
// lock too: if it gets it, it is alone and serves; if it doesn't, it ends. If that happens before anything was offered, the directory itself
// tells the two cases apart in the same way.
package handover
