package differential_test

import (
	"encoding/xml"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/ruleset/corpus"
)

// collection is a public one of attacks that some package has. They are read where they are: licences of most don't let us carry them along.
type collection struct {
	name  string
	files string // below the root
	read  func(text string) []string
	// always says that it is there wherever we build.
	always bool
}

// collections below the file system's root, or below SALLYPORT_PAYLOADS where packages were unpacked elsewhere. Debian's names.
var collections = []collection{
	{name: "wfuzz, injections", files: "usr/share/wfuzz/wordlist/Injections/*.txt", read: lines},
	{name: "wfuzz, vulnerabilities", files: "usr/share/wfuzz/wordlist/vulns/*.txt", read: lines},
	{name: "sqlmap", files: "usr/share/sqlmap/data/xml/payloads/*.xml", read: sqlmapPayloads},
}

// publicPayloads puts the attacks of all collections that are there into requests, and logs which are: the tests of the library that finds injections for us always,
// others where their packages are installed. When time is short, some of the first.
func publicPayloads(t *testing.T) iter.Seq[corpus.Request] {
	t.Helper()
	root := os.Getenv("SALLYPORT_PAYLOADS")
	if root == "" {
		root = "/"
	}
	all := []collection{{name: "libinjection's tests", files: filepath.Join(libinjection(t), "tests", "test-*.txt"), read: libinjectionInput, always: true}}
	every := 17
	if long() {
		every = 1
		for _, c := range collections {
			c.files = filepath.Join(root, c.files)
			all = append(all, c)
		}
	}
	var requests []corpus.Request
	for _, c := range all {
		texts := c.texts(t)
		for n := 0; n < len(texts); n += every {
			requests = append(requests, corpus.Put(fmt.Sprintf("public/%s/%d", c.name, n), texts[n]))
		}
		switch {
		case len(texts) > 0:
			t.Logf("%s: %d attacks", c.name, len(texts))
		case c.always:
			t.Errorf("%s: there are none in %s", c.name, c.files)
		default:
			t.Logf("%s: not installed (%s)", c.name, c.files)
		}
	}
	return slices.Values(requests)
}

func (c *collection) texts(t *testing.T) (all []string) {
	t.Helper()
	files, err := filepath.Glob(c.files)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c.read(string(text))...)
	}
	return all
}

// libinjection is where the module's files are.
func libinjection(t *testing.T) string {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/corazawaf/libinjection-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(dir))
}

func lines(text string) (all []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			all = append(all, line)
		}
	}
	return all
}

func libinjectionInput(text string) []string {
	_, rest, _ := strings.Cut(text, "--INPUT--\n")
	input, _, _ := strings.Cut(rest, "\n--EXPECTED--")
	return []string{input}
}

// sqlmapPayloads are the texts of the elements payload, their placeholders filled in.
func sqlmapPayloads(text string) (all []string) {
	filled := strings.NewReplacer("[RANDNUM]", "4711", "[RANDNUM1]", "4712", "[RANDSTR]", "abcd", "[ORIGVALUE]", "1", "[SLEEPTIME]", "5", "[DELIMITER_START]", "qzq", "[DELIMITER_STOP]", "qxq", "[QUERY]", "SELECT user()", "[INFERENCE]", "1=1", "[CHAR]", "NULL", "[COLSTART]", "1", "[COLSTOP]", "9")
	inside := false
	for tokens := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := tokens.Token()
		if err != nil {
			return all // at the end, or of what isn't XML
		}
		switch token := token.(type) {
		case xml.StartElement:
			inside = token.Name.Local == "payload"
		case xml.CharData:
			if inside {
				all = append(all, "1 "+filled.Replace(strings.TrimSpace(string(token))))
			}
		case xml.EndElement:
			inside = false
		}
	}
}
