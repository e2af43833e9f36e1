package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/bus"
)

// ExternalBus says where a NATS server that isn't ours to run will be.
type ExternalBus struct {
	Dir             string // to write to
	Listen          string // host:port
	ServerName      string
	StoreDir        string // of its streams; empty: store, below Dir
	CertificateLife time.Duration
}

// Bounds of the life of such a server's certificate.
const (
	leastBusLife = time.Hour
	mostBusLife  = 397 * 24 * time.Hour
)

// InitBus writes what such a server needs into a folder: its configuration, and a certificate of our authority with
// its key. It returns when the certificate ends.
func (c *Commands) InitBus(ctx context.Context, to ExternalBus) (ends time.Time, err error) {
	if _, _, err := net.SplitHostPort(to.Listen); err != nil {
		return time.Time{}, fmt.Errorf("-listen: %w", err)
	}
	if to.CertificateLife < leastBusLife || to.CertificateLife > mostBusLife {
		return time.Time{}, fmt.Errorf("-certificate-life: %v is not within %v and %v", to.CertificateLife, leastBusLife, mostBusLife)
	}
	dir, err := filepath.Abs(to.Dir)
	if err != nil {
		return time.Time{}, fmt.Errorf("-dir: %w", err)
	}
	if to.StoreDir == "" {
		to.StoreDir = filepath.Join(dir, "store")
	}
	certificates, key, ends, err := c.core.authority.IssueBus(to.CertificateLife)
	if err != nil {
		return time.Time{}, err
	}
	text, err := c.core.bus.Configuration(bus.External{
		Listen: to.Listen, ServerName: to.ServerName, StoreDir: to.StoreDir,
		Certificate: filepath.Join(dir, "bus.crt"), Key: filepath.Join(dir, "bus.key"),
	})
	if err != nil {
		return time.Time{}, err
	}
	return ends, errors.Join(os.MkdirAll(dir, 0o700),
		replace(filepath.Join(dir, "bus.crt"), certificates), replace(filepath.Join(dir, "bus.key"), key),
		replace(filepath.Join(dir, "nats-server.conf"), text))
}

// replace writes a file for its owner alone, whole or not at all.
func replace(path string, body []byte) error {
	aside := path + ".new"
	if err := os.WriteFile(aside, body, 0o600); err != nil {
		return err
	}
	return os.Rename(aside, path)
}
