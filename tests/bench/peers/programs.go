package peers

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"

	"github.com/sallyport/sallyport/deploy/local/process"
	"github.com/sallyport/sallyport/tests/harness"
)

//go:embed templates
var templates embed.FS

// program is a peer that is a program of this machine.
type program struct {
	name, binary string
	// source builds it, where Debian doesn't package it.
	source *source
	// files are its configuration; templates/ has one for each.
	files []string
	// args that make it run in the foreground with the configuration in a folder.
	args func(dir string) []string
	// maps are further files with a line for each key or route.
	maps  []mapFile
	lacks map[Site]string
	// inspection is what it inspects requests by; nil: nothing.
	inspection *inspection
	of         *Fixture
}

// mapFile has a line for each key or route.
type mapFile struct {
	name   string
	routes bool // else keys
	line   string
}

const (
	noLimits   = "has no limits of requests in its package"
	slowRoutes = "tries its routes one after the other"
	noKeys     = "checks API keys in its commercial edition alone (Traefik Hub)"
)

func programs(of *Fixture) []*program {
	return []*program{
		{
			name: "nginx", binary: "nginx", files: []string{"nginx.conf"}, of: of,
			inspection: modSecurity(),
			maps:       []mapFile{{name: "keys.map", line: "%s consumer-%d;\n"}},
			args:       func(dir string) []string { return []string{"-p", dir, "-c", filepath.Join(dir, "nginx.conf")} },
		},
		{
			name: "HAProxy", binary: "haproxy", files: []string{"haproxy.cfg"}, of: of,
			maps: []mapFile{{name: "keys.list", line: "%s consumer-%d\n"}, {name: "routes.list", routes: true, line: "/service-%d/ origin\n"}},
			args: func(dir string) []string { return []string{"-db", "-f", filepath.Join(dir, "haproxy.cfg")} },
		},
		{
			name: "Caddy", binary: "caddy", files: []string{"Caddyfile"}, of: of,
			lacks: map[Site]string{Keyed: noLimits, Routed: slowRoutes},
			args: func(dir string) []string {
				return []string{"run", "--adapter", "caddyfile", "--config", filepath.Join(dir, "Caddyfile")}
			},
		},
		{
			name: "Traefik", binary: "traefik", source: traefik(), files: []string{"traefik.yml", "sites.yml"}, of: of,
			lacks: map[Site]string{Keyed: noKeys},
			args:  func(dir string) []string { return []string{"--configFile=" + filepath.Join(dir, "traefik.yml")} },
		},
	}
}

// Found returns the peers that are there, and says of the others why they aren't.
func Found(of *Fixture) (found []Gateway, missing []string) {
	for _, p := range programs(of) {
		if _, err := p.path(); err != nil {
			missing = append(missing, fmt.Sprintf("%s isn't installed and left out (%s).", p.name, p.origin()))
			continue
		}
		found = append(found, p)
	}
	return append(found, &relayPeer{of: of}), missing
}

// path is where the program is.
func (p *program) path() (string, error) {
	if p.source != nil {
		return p.source.find()
	}
	return exec.LookPath(p.binary) //nolint:wrapcheck // says what
}

// origin says how to get the program.
func (p *program) origin() string {
	if p.source != nil {
		return "Debian doesn't package it: -install builds it from " + p.source.module + "@" + p.source.version
	}
	return "Debian: apt-get install " + packageOf(p.binary) + ", or -install"
}

// packageOf names the Debian package of a program.
func packageOf(binary string) string {
	if binary == "nginx" {
		return "nginx-light"
	}
	return binary
}

// Install installs the packages of the peers that aren't there, as root on Debian, and builds those that it has no packages of. Services stay down. One that can't be
// built is said and left out: not every proxy serves all that it needs.
func Install(ctx context.Context, out io.Writer) error {
	var packages []string
	var sources []*source
	for _, p := range append(programs(nil), apache(nil)) {
		if p.inspection.lacks() != "" && p.inspection != nil {
			packages = append(packages, p.inspection.packaged)
		}
		_, err := p.path()
		switch {
		case err == nil:
		case p.source != nil:
			sources = append(sources, p.source)
		default:
			packages = append(packages, packageOf(p.binary))
		}
	}
	if err := installPackages(ctx, out, packages); err != nil {
		return err
	}
	for _, s := range sources {
		err := s.build(ctx, out)
		if ctx.Err() != nil {
			return err
		}
		if err != nil {
			fmt.Fprintf(out, "A peer is left out: %v\n", err)
		}
	}
	return nil
}

func installPackages(ctx context.Context, out io.Writer, packages []string) error {
	if len(packages) == 0 {
		return nil
	}
	install := append([]string{"install", "-y", "--no-install-recommends"}, packages...)
	for _, step := range [][]string{{"update"}, install} {
		cmd := exec.CommandContext(ctx, "apt-get", step...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1") // in that runlevel packages start nothing
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("apt-get %s: %w", strings.Join(step, " "), err)
		}
	}
	return nil
}

func (p *program) Name() string { return p.name }

func (p *program) Lacks(site Site) string {
	if site == Inspected {
		return p.inspection.lacks()
	}
	return p.lacks[site]
}

// settings are what a template is filled with.
type settings struct {
	Dir, Origin string
	Threads     int
	AccessLog   bool
	Inspected   bool
	Root        bool
	Routes      []int
	addresses   map[Site]string
}

// At is where a site listens.
func (s settings) At(site Site) string { return s.addresses[site] }

// Port is where a site listens on loopback.
func (s settings) Port(site Site) (string, error) {
	_, port, err := net.SplitHostPort(s.addresses[site])
	return port, err //nolint:wrapcheck // says what
}

func (p *program) configuration(file string, s settings) ([]byte, error) {
	parsed, err := template.ParseFS(templates, "templates/"+file+".tmpl")
	if err != nil {
		return nil, fmt.Errorf("configuration of %s: %w", p.name, err)
	}
	var text bytes.Buffer
	if err := parsed.Execute(&text, s); err != nil {
		return nil, fmt.Errorf("configuration of %s: %w", p.name, err)
	}
	return text.Bytes(), nil
}

// write writes everything that the program reads.
func (p *program) write(s settings) error {
	certificate := p.of.Certificate
	files := map[string][]byte{
		"chain.pem": []byte(certificate.Chain), "key.pem": []byte(certificate.Key), "both.pem": []byte(certificate.Chain + certificate.Key),
	}
	for _, name := range p.files {
		text, err := p.configuration(name, s)
		if err != nil {
			return err
		}
		files[name] = text
	}
	for _, m := range p.maps {
		files[m.name] = m.text(p.of.Keys, s.Routes)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(s.Dir, name), text, 0o600); err != nil {
			return fmt.Errorf("configuration of %s: %w", p.name, err)
		}
	}
	return nil
}

func (m mapFile) text(keys []string, routes []int) []byte {
	var text bytes.Buffer
	if m.routes {
		for _, n := range routes {
			fmt.Fprintf(&text, m.line, n)
		}
		return text.Bytes()
	}
	for n, key := range keys {
		fmt.Fprintf(&text, m.line, key, n)
	}
	return text.Bytes()
}

func (p *program) Start(ctx context.Context, setup Setup) (Running, error) {
	path, err := p.path()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	dir, err := os.MkdirTemp(p.of.Dir, p.binary+"-")
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	s := settings{Dir: dir, Origin: p.of.Origin, Threads: setup.Threads, AccessLog: setup.AccessLog, Inspected: setup.Inspected, Root: os.Geteuid() == 0, addresses: map[Site]string{}}
	if setup.Routed {
		s.Routes = p.of.routes()
	}
	for _, site := range allSites() {
		if s.addresses[site], err = harness.FreeAddress(); err != nil {
			return nil, fmt.Errorf("start %s: %w", p.name, err)
		}
	}
	if err := p.write(s); err != nil {
		return nil, err
	}
	if setup.Inspected {
		if err := p.writeInspection(dir); err != nil {
			return nil, err
		}
	}
	command := append(p.of.Pinned(setup.Processors), path)
	return start(ctx, p.of, s.addresses, served(p, setup), process.Spec{
		Name: p.name, Path: command[0], Args: append(command[1:], p.args(dir)...),
		Env: []string{"GOMAXPROCS=" + strconv.Itoa(setup.Threads), "HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir},
	}, dir)
}

// relayPeer is the floor.
type relayPeer struct{ of *Fixture }

// Relay is the TCP relay's name.
const Relay = "TCP relay"

func (r *relayPeer) Name() string { return Relay }

func (r *relayPeer) Lacks(site Site) string {
	if site == Plain || site == Sockets {
		return ""
	}
	return "reads nothing of what it passes on"
}

func (r *relayPeer) Start(ctx context.Context, setup Setup) (Running, error) {
	dir, err := os.MkdirTemp(r.of.Dir, "relay-")
	if err != nil {
		return nil, fmt.Errorf("start the relay: %w", err)
	}
	listen, err := harness.FreeAddress()
	if err != nil {
		return nil, fmt.Errorf("start the relay: %w", err)
	}
	command := append(append(r.of.Pinned(setup.Processors), r.of.Relay...), listen, r.of.Origin)
	return start(ctx, r.of, map[Site]string{Plain: listen, Sockets: listen}, served(r, setup), process.Spec{
		Name: r.Name(), Path: command[0], Args: command[1:], Env: []string{"GOMAXPROCS=" + strconv.Itoa(setup.Threads)},
	}, dir)
}

// versions are asked for like this.
func versionArgs() map[string]string {
	return map[string]string{"nginx": "-v", "apache2": "-v", "haproxy": "-v", "caddy": "version", "traefik": "version"}
}

// Versions says what the peers that are there say of their versions.
func Versions(ctx context.Context) (said []string) {
	for _, p := range append(programs(nil), apache(nil)) {
		path, err := p.path()
		if err != nil {
			continue
		}
		out, err := exec.CommandContext(ctx, path, versionArgs()[p.binary]).CombinedOutput()
		first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		if err == nil && first != "" {
			said = append(said, p.name+": "+strings.Join(strings.Fields(first), " "))
		}
	}
	return said
}
