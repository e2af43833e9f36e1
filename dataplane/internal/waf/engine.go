package waf

import (
	"net/netip"

	"github.com/sallyport/sallyport/dataplane/internal/exclusions"
	"github.com/sallyport/sallyport/dataplane/internal/payload"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// Engine inspects requests by one set of rules. It is immutable and safe for concurrent use.
type Engine interface {
	// Begin begins an inspection. Its rules don't look at what is skipped.
	Begin(skipped []Skip) Inspection
}

// Inspection is that of one request and its answer, in the order of its methods, each called once at most. What comes behind a decision that blocks isn't asked.
// It belongs to one goroutine at a time.
type Inspection interface {
	// Head looks at the request's head.
	Head(*Head) Decision
	// Body looks at its body, which is whole.
	Body(*payload.Body) Decision
	// AnswerHead looks at the answer's head.
	AnswerHead(status int, header *pipeline.Header) Decision
	// AnswerBody looks at its body, which is whole, its content coding undone.
	AnswerBody([]byte) Decision
	// Close ends the inspection and gives its memory back.
	Close()
}

// Skip keeps rules from something. What routes leave out is made before there is an engine, so the type is package exclusions'.
type Skip = exclusions.Skip

// Target is a part of a request that rules look at.
type Target = exclusions.Target

// Head is the head of a request as it came.
type Head struct {
	Method string
	// Path and Query as sent.
	Path, Query string
	// Proto is "HTTP/1.1" or the like.
	Proto string
	// Host as sent.
	Host   string
	Header *pipeline.Header
	// Length of the body in bytes; -1: unknown.
	Length int64
	Client netip.Addr
}

// Decision is what an engine says so far.
type Decision struct {
	// Block says that the request, or its answer, is to be refused.
	Block bool
	// Score so far: of the request, once there is an answer of that.
	Score int
	// Findings since the decision before. Part isn't masked yet.
	Findings []Finding
}

// Finding is a rule that found something.
type Finding struct {
	Rule    int
	Message string
	Tags    []string
	// Target is where; its Name is the request's own.
	Target Target
	// Part is what matched.
	Part string
	// Score is what it added.
	Score int
}
