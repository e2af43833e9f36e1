package stack

import (
	"context"
	"path/filepath"

	"github.com/sallyport/sallyport/deploy/local/process"
)

// startBus gives the bus a process of its own: the product's, or a NATS server that is configured as the product says.
func (s *Stack) startBus(ctx context.Context) error {
	if err := s.ensureRootKey(); err != nil {
		return err
	}
	spec := process.Spec{
		Path: s.cfg.binary("sallyport-control"), Env: s.controlEnv(), Output: s.prefixed(Bus),
		Args: []string{"bus", "--bus-listen", s.at.bus, "--data-dir", filepath.Join(s.cfg.Dir, "bus")},
	}
	if s.cfg.NATSServer != "" {
		dir := filepath.Join(s.cfg.Dir, "nats")
		if _, err := s.Control(ctx, "bus", "init", "--dir", dir, "--listen", s.at.bus); err != nil {
			return err
		}
		spec = process.Spec{Path: s.cfg.NATSServer, Args: []string{"-c", filepath.Join(dir, "nats-server.conf")}, Output: s.prefixed(Bus)}
	}
	if err := s.launch(&part{name: Bus, spec: func(context.Context) (process.Spec, error) { return spec, nil }}); err != nil {
		return err
	}
	return s.awaitPart(ctx, Bus)
}
