package peers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/sallyport/sallyport/deploy/local/process"
)

// running is a process that serves sites.
type running struct {
	process   *process.Process
	addresses map[Site]string
	output    *os.File
}

const (
	// readyBound is how long a peer may take to serve: nginx sorts its keys first, Traefik its routes.
	readyBound   = 60 * time.Second
	readyLook    = 10 * time.Millisecond
	outputLooked = 2000
)

// start starts a process, and returns once it serves all of these sites.
func start(ctx context.Context, of *Fixture, addresses map[Site]string, sites []Site, spec process.Spec, dir string) (Running, error) {
	output, err := os.Create(filepath.Join(dir, "output.log"))
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	spec.Output = output
	child, err := process.Start(spec)
	if err != nil {
		return nil, errors.Join(err, output.Close())
	}
	r := &running{process: child, addresses: addresses, output: output}
	if err := r.await(ctx, of, sites); err != nil {
		said, _ := os.ReadFile(output.Name()) // what it says is extra
		return nil, errors.Join(fmt.Errorf("start %s: %w: %s", spec.Name, err, said[max(len(said)-outputLooked, 0):]), r.Stop(ctx))
	}
	return r, nil
}

// served returns the sites that a gateway serves if it is started like this.
func served(g Gateway, setup Setup) (sites []Site) {
	for _, site := range allSites() {
		if g.Lacks(site) == "" && (site != Routed || setup.Routed) && (site != Inspected || setup.Inspected) {
			sites = append(sites, site)
		}
	}
	return sites
}

// await returns once each site passes requests on. That somebody listens is not enough: Traefik listens before it has read what it serves.
func (r *running) await(ctx context.Context, of *Fixture, sites []Site) error {
	ctx, cancel := context.WithTimeout(ctx, readyBound)
	defer cancel()
	client := of.client()
	look := time.NewTicker(readyLook)
	defer look.Stop()
	for _, site := range sites {
		for {
			err := ask(ctx, client, r.addresses[site], site)
			if err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("it doesn't serve %s: %w", site, err)
			case <-r.process.Done():
				return fmt.Errorf("it ended: %w", errors.Join(r.process.Err(), err))
			case <-look.C:
			}
		}
	}
	return nil
}

// client asks each time on a connection of its own, so that none stays open at a gateway that is measured.
func (f *Fixture) client() *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(f.Certificate.Chain))
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: roots, ServerName: Host(Secure), MinVersion: tls.VersionTLS13},
	}}
}

// ask asks a site for something, without an API key.
func ask(ctx context.Context, client *http.Client, address string, site Site) error {
	scheme, want := "http", http.StatusOK
	switch site {
	case Secure:
		scheme = "https"
	case Keyed:
		want = http.StatusUnauthorized
	case Plain, Sockets, Routed, Inspected:
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+address+"/service-0/ready", nil)
	if err != nil {
		return err //nolint:wrapcheck // says what
	}
	request.Host = Host(site)
	answer, err := client.Do(request)
	if err != nil {
		return err //nolint:wrapcheck // says what
	}
	if err := answer.Body.Close(); err != nil {
		return err //nolint:wrapcheck // says what
	}
	if answer.StatusCode != want {
		return fmt.Errorf("it answers %s", answer.Status)
	}
	return nil
}

func (r *running) PID() int { return r.process.PID() }

func (r *running) At(site Site) string { return r.addresses[site] }

const stopBound = 10 * time.Second

func (r *running) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopBound)
	defer cancel()
	return errors.Join(r.process.Stop(ctx), r.output.Close())
}
