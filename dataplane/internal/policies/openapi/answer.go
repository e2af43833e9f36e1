package openapi

import (
	"errors"
	"io"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/openapi"
	"github.com/sallyport/sallyport/proto/problem"
)

// WatchesAnswers implements pipeline.AnswerWatcher.
func (s *stage) WatchesAnswers() bool { return s.answers }

// Response implements pipeline.Responder. It holds the head of the service's answer against the description, and has the body copied while it passes.
func (s *stage) Response(ex *pipeline.Exchange) error {
	if !s.answers || ex.Rejection != nil || ex.Replied() || ex.Response.Tunnel != nil || ex.UpstreamStatus == 0 {
		return nil //nolint:nilerr // what is refused isn't an answer of the service
	}
	description := ex.Descriptions.Of(s.description)
	if description == nil {
		return nil // the request was refused for it
	}
	operation := s.match(ex, description).Operation
	if operation == nil {
		return nil // what isn't described is told of by the request
	}
	out := &ex.Response
	answer := operation.Answer(out.Status)
	if answer == nil {
		s.brokenAnswer(ex, []openapi.Breach{openapi.NoAnswer()})
		return nil
	}
	contentType, _ := joined(&out.Header, "Content-Type")
	content, breaches := answer.Head(contentType, hasContent(ex), func(name string) (string, bool) { return joined(&out.Header, name) })
	s.brokenAnswer(ex, breaches)
	if content != nil && content.Looks() == openapi.JSON && !out.Header.Has("Content-Encoding") && out.ContentLength <= s.most && out.Body != nil {
		made := &copied{content: content, most: s.most, share: ex.NewShare()}
		out.Body = &copier{body: out.Body, to: made}
		ex.Keep(s, made)
	}
	return nil
}

// methodHead is written here since the wire is ours, and net/http isn't imported.
const methodHead = "HEAD"

// hasContent tells whether the answer has a body, if an empty one.
func hasContent(ex *pipeline.Exchange) bool {
	status := ex.Response.Status
	return ex.Request.Method != methodHead && status != 204 && status != 304 && ex.Response.ContentLength != 0
}

// Finish implements pipeline.Finisher: it holds the copy of the answer against its schema, once the client has the answer.
func (s *stage) Finish(ex *pipeline.Exchange) {
	c, ok := ex.Kept(s).(*copied)
	if !ok {
		return
	}
	defer c.Close() //nolint:errcheck // it gives back memory
	if !c.whole || c.left {
		return
	}
	doc, err := payload.ParseJSON(c.raw, c.share)
	var fault *payload.Fault
	switch {
	case errors.As(err, &fault):
		s.brokenAnswer(ex, broken(ruleSyntax, "can't be read ("+fault.Rule+")"))
	case err == nil:
		s.brokenAnswer(ex, openapi.Check(c.content, jsonValue(doc.Root()), len(c.raw), openapi.ToCaller))
	}
}

func (s *stage) brokenAnswer(ex *pipeline.Exchange, breaches []openapi.Breach) {
	if len(breaches) > 0 {
		s.found(ex, breaches, true)
		ex.Note(s.policy, problem.AnswerSchemaBroken)
	}
}

// copied is what has passed of an answer.
type copied struct {
	content *openapi.Content
	most    int64
	share   *payload.Share
	raw     []byte
	whole   bool
	left    bool // it is too large, or there is no memory: it isn't looked at
}

// Close gives the copy's memory back.
func (c *copied) Close() error {
	c.raw = nil
	c.share.Release()
	return nil
}

func (c *copied) add(b []byte) {
	switch {
	case c.left || len(b) == 0:
		return
	case int64(len(c.raw)+len(b)) > c.most || !c.room(len(b)):
		c.left, c.raw = true, nil
		c.share.Release()
		return
	}
	c.raw = append(c.raw, b...)
}

// room makes room for n bytes more, if the node has the memory.
func (c *copied) room(n int) bool {
	needed := len(c.raw) + n
	if needed <= cap(c.raw) {
		return true
	}
	size := max(2*cap(c.raw), needed)
	if !c.share.Take(int64(size)) {
		return false
	}
	grown := make([]byte, len(c.raw), size)
	copy(grown, c.raw)
	c.share.Give(int64(cap(c.raw)))
	c.raw = grown
	return true
}

// copier is an answer's body that is copied while it is read. It delays nothing.
type copier struct {
	body io.ReadCloser
	to   *copied
}

// Read implements io.Reader.
func (c *copier) Read(p []byte) (int, error) {
	n, err := c.body.Read(p)
	c.to.add(p[:n])
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		c.to.whole = true
	}
	return n, err //nolint:wrapcheck // io.EOF must stay what it is
}

// Prompt implements pipeline.Prompt.
func (c *copier) Prompt() bool {
	prompt, ok := c.body.(pipeline.Prompt)
	return ok && prompt.Prompt()
}

// Close implements io.Closer.
func (c *copier) Close() error { return c.body.Close() } //nolint:wrapcheck // nothing to add
