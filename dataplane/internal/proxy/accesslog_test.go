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
