package peers

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
)

// inspection is the module by which a program inspects requests by the Core Rule Set.
type inspection struct {
	module   string // its file
	packaged string // the Debian package that has it
	bounds   string // of a pattern's cost, where they stand among the rules
}

const (
	// modSecurity3 and modSecurity2 are where Debian's packages put the modules.
	modSecurity3 = "/usr/lib/nginx/modules/ngx_http_modsecurity_module.so"
	modSecurity2 = "/usr/lib/apache2/modules/mod_security2.so"
)

// lacks says why the program can't inspect; "": it can.
func (i *inspection) lacks() string {
	if i == nil {
		return "has nothing that inspects requests by the Core Rule Set"
	}
	if _, err := os.Stat(i.module); err != nil {
		return "its ModSecurity module isn't installed (" + i.packaged + ")"
	}
	return ""
}

// Inspectors are the gateways that are measured inspecting requests: nginx with ModSecurity v3, Apache with v2.
func Inspectors(of *Fixture) (found []Gateway, missing []string) {
	for _, p := range append(programs(of), apache(of)) {
		if p.inspection == nil {
			continue
		}
		if _, err := p.path(); err != nil {
			missing = append(missing, fmt.Sprintf("%s isn't installed and left out (%s).", p.name, p.origin()))
			continue
		}
		found = append(found, p)
	}
	return found, missing
}

// apache is measured for its inspection alone.
func apache(of *Fixture) *program {
	const alone = "is measured for its inspection alone"
	return &program{
		name: "Apache", binary: "apache2", files: []string{"apache2.conf"}, of: of,
		inspection: &inspection{module: modSecurity2, packaged: "libapache2-mod-security2"},
		lacks:      map[Site]string{Keyed: alone, Secure: alone, Sockets: alone, Routed: alone},
		args: func(dir string) []string {
			return []string{"-D", "FOREGROUND", "-d", dir, "-f", filepath.Join(dir, "apache2.conf")}
		},
	}
}

// rulesDir is where a program's configuration finds the Core Rule Set.
const rulesDir = "rules"

// writeRules writes the Core Rule Set that Sallyport has, so that all inspect by the same, at paranoia level 1 and with its own thresholds.
func writeRules(dir string) error {
	dir = filepath.Join(dir, rulesDir)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("write the Core Rule Set: %w", err)
	}
	files := map[string]string{"crs-setup.conf": "@crs-setup.conf.example"}
	entries, err := fs.ReadDir(coreruleset.FS, "@owasp_crs")
	if err != nil {
		return fmt.Errorf("read the Core Rule Set: %w", err)
	}
	for _, e := range entries {
		files[e.Name()] = path.Join("@owasp_crs", e.Name())
	}
	for name, from := range files {
		text, err := fs.ReadFile(coreruleset.FS, from)
		if err != nil {
			return fmt.Errorf("read the Core Rule Set: %w", err)
		}
		if strings.HasSuffix(name, ".conf") {
			text = apart(text)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return fmt.Errorf("write the Core Rule Set: %w", err)
		}
	}
	return nil
}

// apart puts an empty line in front of each directive: ModSecurity v3 takes a rule's actions from the next line where there are none.
func apart(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\nSec"), []byte("\n\nSec")) }

// engine is what both versions of ModSecurity are told besides: as Debian recommends, but to refuse, with answers left alone and no log.
const engine = `SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess Off
SecRequestBodyLimit 13107200
SecRequestBodyNoFilesLimit 131072
SecRequestBodyLimitAction Reject
SecRule REQUEST_HEADERS:Content-Type "^(?:application(?:/soap\+|/)|text/)xml" "id:200000,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "^application/json" "id:200001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
SecAuditEngine Off
`

// rules is what a program loads: the engine's settings, the Core Rule Set's, then its rules.
func (i *inspection) rules(dir string) (string, error) {
	names, err := filepath.Glob(filepath.Join(dir, rulesDir, "RE*.conf"))
	if err != nil {
		return "", fmt.Errorf("list the Core Rule Set: %w", err)
	}
	var text strings.Builder
	text.WriteString(engine + i.bounds + "Include " + filepath.Join(dir, rulesDir, "crs-setup.conf") + "\n")
	for _, name := range names { // in the order of their names, as they are to be
		text.WriteString("Include " + name + "\n")
	}
	return text.String(), nil
}

// modSecurity is ModSecurity v3 in nginx.
func modSecurity() *inspection {
	return &inspection{
		module: modSecurity3, packaged: "libnginx-mod-http-modsecurity",
		bounds: "SecPcreMatchLimit 100000\nSecPcreMatchLimitRecursion 100000\n",
	}
}

// writeInspection writes what the program inspects by.
func (p *program) writeInspection(dir string) error {
	if err := writeRules(dir); err != nil {
		return err
	}
	text, err := p.inspection.rules(dir)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "modsecurity.conf"), []byte(text), 0o600); err != nil {
		return fmt.Errorf("configuration of %s: %w", p.name, err)
	}
	return nil
}
