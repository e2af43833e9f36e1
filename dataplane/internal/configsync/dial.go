package configsync

import (
	"crypto/tls"

	"google.golang.org/grpc"

	"github.com/sallyport/sallyport/dataplane/internal/reach"
)

// Dial returns the connection that both lanes share, to one of the control plane's addresses, with the node's
// certificate (enroll.Identity's TLS). It connects when it is first used, and again when it must. The caller closes it.
func Dial(addresses string, config *tls.Config) (*grpc.ClientConn, error) {
	return reach.Dial(addresses, config) //nolint:wrapcheck // says what
}
