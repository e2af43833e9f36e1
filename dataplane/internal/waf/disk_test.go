//go:build no_fs_access

package waf_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

// What is shipped is built with this tag (Makefile): a node's disk may be read-only, and nobody's upload lies on it.
func TestNothingIsWrittenToADisk(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none"))
	e := engine(t, func(config *policyv1.Waf) { config.InboundThreshold = proto.Uint32(6) }) // one that is made here
	content := strings.Repeat("all is well ", 100_000)
	d := inspect(e, request{method: "POST", path: "/", header: []string{"Content-Type: multipart/form-data; boundary=xyz"}, body: "--xyz\r\n" +
		"Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n" + content + "\r\n--xyz--\r\n"})
	if d.Block {
		t.Errorf("%+v", d)
	}
	if _, err := os.Stat(os.Getenv("TMPDIR")); !os.IsNotExist(err) {
		t.Errorf("there is something: %v", err)
	}
}
