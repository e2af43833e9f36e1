package dataplane

import "github.com/sallyport/sallyport/dataplane/internal/certificates"

// newCertificates returns what knows the certificates of the revision in force, and their keys.
func newCertificates(n *node) *certificates.Keeper {
	return certificates.NewKeeper(certificates.Config{Directory: n.directory, Logger: n.cfg.Logger, InForce: func() (*certificates.Set, certificates.Policy) {
		current := n.snapshots.Load()
		if current == nil {
			return nil, certificates.Policy{}
		}
		return current.Certificates, current.Settings.TLS
	}})
}
