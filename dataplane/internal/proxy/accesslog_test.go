package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// disk refuses the first writes, as a full one would.
type disk struct {
	refuse int
	held   bytes.Buffer
	wrote  chan struct{}
}

func (d *disk) Write(p []byte) (int, error) {
	defer func() { d.wrote <- struct{}{} }()
	if d.refuse > 0 {
		d.refuse--
		return 0, errors.New("no space left on device")
	}
	return d.held.Write(p) //nolint:wrapcheck // a test's
}

func TestADiskThatIsFullCostsLinesNotTheNode(t *testing.T) {
	out := &disk{refuse: 1, wrote: make(chan struct{}, 2)}
	log := NewAccessLog(out)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- log.Run(ctx) }()
	line := func(path string) {
		ex := new(pipeline.Exchange)
		ex.Request.Path, ex.Request.Query = path, "key=secret"
		log.write(ex, time.Now())
		<-out.wrote
	}
	line("/lost")
	line("/kept")
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the log ended the node: %v", err)
	}
	if got := log.Dropped(); got != 1 {
		t.Errorf("%d lines count as dropped, want 1", got)
	}
	var kept map[string]any
	if err := json.Unmarshal(out.held.Bytes(), &kept); err != nil || kept["path"] != "/kept" {
		t.Errorf("the log holds %q, want the line of /kept alone", out.held.String())
	}
	if strings.Contains(out.held.String(), "secret") {
		t.Error("the log holds the query")
	}
}

func TestALineIsOneObjectWhateverARequestHolds(t *testing.T) {
	const hostile = "a\"b\\c\r\nd\x00e\u2028f\xff"
	out := &disk{wrote: make(chan struct{}, 1)}
	log := NewAccessLog(out)
	ex := new(pipeline.Pool).Get()
	ex.Request.Method, ex.Request.Authority, ex.Request.Path = "GET", hostile, hostile
	ex.Refuse(&pipeline.Rejection{Code: "blocked", Reason: hostile, Policy: "p"})
	log.write(ex, time.Now())
	log.flush()
	<-out.wrote
	text := out.held.String()
	var fields map[string]any
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "}\n") {
		t.Errorf("%q is not one line", text)
	}
	for _, name := range []string{"host", "path", "reason"} {
		if fields[name] != strings.ToValidUTF8(hostile, "\ufffd") {
			t.Errorf("%s is %q", name, fields[name])
		}
	}
	if fields["verdict"] != "blocked" || fields["policy"] != "p" || fields["client"] != "" || fields["msg"] != "request" {
		t.Errorf("the line holds %v", fields)
	}
}
