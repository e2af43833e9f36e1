package peers

import (
	"bytes"
	"crypto/tls"
	"flag"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sallyport/sallyport/tests/bench/origin"
)

var update = flag.Bool("update", false, "write the golden files")

// sample is a small measurement.
func sample(t *testing.T) (*Fixture, settings) {
	t.Helper()
	certificate, err := NewCertificate(Host(Secure))
	if err != nil {
		t.Fatal(err)
	}
	of := &Fixture{Origin: "127.0.0.1:7000", Keys: []string{"key-a", "key-b"}, Routes: 3, Certificate: certificate}
	s := settings{Dir: "/measured", Origin: of.Origin, Threads: 1, Routes: []int{0, 1, 2}, addresses: map[Site]string{
		Plain: "127.0.0.1:7001", Keyed: "127.0.0.1:7002", Secure: "127.0.0.1:7003", Sockets: "127.0.0.1:7004", Routed: "127.0.0.1:7005",
		Inspected: "127.0.0.1:7006",
	}}
	return of, s
}

func TestConfigurationsAreAsReviewed(t *testing.T) {
	of, quiet := sample(t)
	for _, p := range append(programs(of), apache(of)) {
		reviewed := map[string]settings{"": quiet, "logged-": func() settings { s := quiet; s.AccessLog, s.Root = true, true; return s }()}
		if p.inspection != nil {
			reviewed["inspected-"] = func() settings { s := quiet; s.Inspected = true; return s }()
		}
		for name, s := range reviewed {
			for _, file := range p.files {
				asReviewed(t, p, file, filepath.Join("testdata", name+file), s)
			}
		}
	}
}

func asReviewed(t *testing.T, p *program, file, golden string, s settings) {
	t.Helper()
	got, err := p.configuration(file, s)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("the configuration of %s isn't %s (%v); -update writes it:\n%s", p.name, golden, err, got)
	}
}

func TestConfigurationsAreTakenByTheProgramsThatAreHere(t *testing.T) {
	check := map[string][]string{
		"nginx":   {"-t", "-q", "-c", "nginx.conf"},
		"haproxy": {"-c", "-q", "-f", "haproxy.cfg"},
		"caddy":   {"validate", "--adapter", "caddyfile", "--config", "Caddyfile"},
	}
	of, s := sample(t)
	for _, p := range programs(of) {
		t.Run(p.name, func(t *testing.T) {
			path, err := p.path()
			if err != nil {
				t.Skipf("%s isn't installed", p.binary)
			}
			if check[p.binary] == nil {
				t.Skipf("%s has no such check; that it serves its sites shows the same", p.name)
			}
			s := s
			s.Dir, s.AccessLog, s.Root = t.TempDir(), true, os.Geteuid() == 0
			if err := p.write(s); err != nil {
				t.Fatal(err)
			}
			args := slices.Clone(check[p.binary])
			args[len(args)-1] = filepath.Join(s.Dir, args[len(args)-1])
			cmd := exec.CommandContext(t.Context(), path, args...)
			cmd.Dir = s.Dir
			if said, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", p.name, err, said)
			}
		})
	}
}

func TestMapsHaveALineForEachKeyAndRoute(t *testing.T) {
	of, s := sample(t)
	for want, m := range map[string]mapFile{
		"key-a consumer-0;\nkey-b consumer-1;\n":                       programs(of)[0].maps[0],
		"key-a consumer-0\nkey-b consumer-1\n":                         programs(of)[1].maps[0],
		"/service-0/ origin\n/service-1/ origin\n/service-2/ origin\n": programs(of)[1].maps[1],
	} {
		if got := string(m.text(of.Keys, s.Routes)); got != want {
			t.Errorf("%s is %q, want %q", m.name, got, want)
		}
	}
}

// behind is a service that answers, and a folder.
func behind(t *testing.T) *Fixture {
	t.Helper()
	of, _ := sample(t)
	service, err := origin.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(service.Close)
	of.Dir, of.Origin, of.Pinned = t.TempDir(), service.Address, func([]int) []string { return nil }
	return of
}

func TestAPeerServesAllOfItsSitesOnceItHasStarted(t *testing.T) {
	of := behind(t)
	for _, p := range append(programs(of), apache(of)) {
		t.Run(p.name, func(t *testing.T) {
			if _, err := p.path(); err != nil {
				t.Skipf("%s isn't installed", p.binary)
			}
			for _, setup := range []Setup{{Threads: 1}, {Threads: 1, AccessLog: true, Routed: true}, {Threads: 1, Inspected: p.inspection.lacks() == ""}} {
				started, err := p.Start(t.Context(), setup)
				if err != nil {
					t.Fatal(err)
				}
				for _, site := range served(p, setup) {
					if err := ask(t.Context(), of.client(), started.At(site), site); err != nil {
						t.Errorf("%s: %v", site, err)
					}
				}
				if setup.Inspected {
					refusesAnInjection(t, of, started.At(Inspected))
				}
				if err := started.Stop(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// refusesAnInjection shows that an inspected site inspects.
func refusesAnInjection(t *testing.T, of *Fixture, address string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/orders?id=1%27%20OR%20%271%27=%271%27%20--%20", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = Host(Inspected)
	answer, err := of.client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("an SQL injection is answered %s", answer.Status)
	}
}

func TestTheCertificateIsOneOfItsKeyAndHost(t *testing.T) {
	of, _ := sample(t)
	pair, err := tls.X509KeyPair([]byte(of.Certificate.Chain), []byte(of.Certificate.Key))
	if err != nil {
		t.Fatal(err)
	}
	if err := pair.Leaf.VerifyHostname(Host(Secure)); err != nil {
		t.Error(err)
	}
}

func TestWhatAPeerCannotDoItSays(t *testing.T) {
	of, _ := sample(t)
	for _, p := range programs(of) {
		for _, site := range []Site{Plain, Secure, Sockets} {
			if why := p.Lacks(site); why != "" {
				t.Errorf("%s lacks %s: %s", p.name, site, why)
			}
		}
	}
	if why := (&relayPeer{}).Lacks(Keyed); why == "" {
		t.Error("the relay is said to know keys")
	}
}

func TestSitesAreServedByWhoHasThemAndManyRoutesOnlyWhereTheyAreMeasured(t *testing.T) {
	of, _ := sample(t)
	all := map[string]Gateway{Relay: &relayPeer{}}
	for _, p := range programs(of) {
		all[p.name] = p
	}
	for name, want := range map[string][]Site{
		"nginx": {Plain, Keyed, Secure, Sockets, Routed}, "HAProxy": {Plain, Keyed, Secure, Sockets, Routed},
		"Caddy": {Plain, Secure, Sockets}, "Traefik": {Plain, Secure, Sockets, Routed}, Relay: {Plain, Sockets},
	} {
		if got := served(all[name], Setup{Routed: true}); !slices.Equal(got, want) {
			t.Errorf("%s serves %v, want %v", name, got, want)
		}
		if got := served(all[name], Setup{}); slices.Contains(got, Routed) {
			t.Errorf("%s has many routes that nobody asked for", name)
		}
	}
}
