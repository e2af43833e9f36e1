package http1_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sallyport/sallyport/dataplane/internal/http1"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// limits of the tests; small, so that they are met.
func limits() *http1.Limits { return &http1.Limits{StartLine: 1000, Head: 4000, Fields: 20} }

// reading returns a reader of the wire, with a buffer of this size.
func reading(wire io.Reader, buffer int) *http1.Reader {
	r := new(http1.Reader)
	r.Attach(wire, make([]byte, buffer))
	return r
}

// got is a message as it was read.
type got struct {
	request  http1.Request
	response http1.Response
	header   pipeline.Header
	body     string
	trailer  pipeline.Header
}

// readRequest reads one request, its body included.
func readRequest(r *http1.Reader) (g got, _ error) {
	head, err := r.ReadHead(limits())
	if err != nil {
		return g, err
	}
	if err := g.request.Parse(head, limits(), &g.header); err != nil {
		return g, err
	}
	body, err := io.ReadAll(r.Body(&g.request.Head, &g.trailer))
	g.body = string(body)
	return g, err
}

// readResponse reads one answer, its body included.
func readResponse(r *http1.Reader, toHead bool) (g got, _ error) {
	head, err := r.ReadHead(limits())
	if err != nil {
		return g, err
	}
	if err := g.response.Parse(head, toHead, limits(), &g.header); err != nil {
		return g, err
	}
	body, err := io.ReadAll(r.Body(&g.response.Head, &g.trailer))
	g.body = string(body)
	return g, err
}

// status is the one that an error is answered with; 0: it isn't the sender's mistake.
func status(err error) int {
	var refusal *http1.Error
	if errors.As(err, &refusal) {
		return refusal.Status
	}
	return 0
}

// inEverySplit runs a test on the wire whole, byte by byte, and in two reads split at each place.
func inEverySplit(wire string, test func(io.Reader)) {
	test(strings.NewReader(wire))
	test(iotest.OneByteReader(strings.NewReader(wire)))
	for at := range len(wire) {
		test(io.MultiReader(strings.NewReader(wire[:at]), strings.NewReader(wire[at:])))
	}
}

// Field lists as "Name: value|Name: value".
func fields(header *pipeline.Header) string {
	var all []string
	for _, f := range header.Fields() {
		all = append(all, f.Name+": "+f.Value)
	}
	return strings.Join(all, "|")
}

func TestErrorsSayStatusAndReason(t *testing.T) {
	t.Parallel()
	if err := http1.ErrBareLF; err.Status != 400 || err.Error() != err.Reason || err.Reason == "" {
		t.Errorf("%+v", err)
	}
}
