package waf

import (
	"net/netip"

	"github.com/sallyport/sallyport/dataplane/internal/exclusions"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// Engine inspects requests by one set of rules. It is immutable and safe for concurrent use.
type Engine interface {
	// Begin begins an inspection. Its rules don't look at what is skipped.
	Begin(skipped []Skip) Inspection
}

// Inspection is that of one request and its answer, in the order of its methods, each called once at most. What comes behind a decision that blocks isn't asked.
// It belongs to one goroutine at a time. A fault of an engine is a panic: whoever asks fails closed by it.
type Inspection interface {
	// Head looks at what is to be told of the request's head before its body is there. Most of it waits for Body.
	Head(*Head) Decision
	// Body looks at the whole request: its head, and its body, whose content coding is undone; none: there is none, or nobody looks at it.
	Body([]byte) Decision
	// AnswerHead looks at what is to be told of the answer's head before its body is there.
	AnswerHead(*AnswerHead) Decision
	// AnswerBody looks at the whole answer: its head, and its body, whose content coding is undone; none: there is none, or nobody looks at it.
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
	// Decoded says that the body is handed over, with the content coding undone that the header names: what the header says of it isn't looked at.
	Decoded bool
	Client  netip.Addr
}

// AnswerHead is the head of an answer as it came.
type AnswerHead struct {
	Status int
	// Proto is "HTTP/1.1" or the like.
	Proto  string
	Header *pipeline.Header
	// Decoded says the same of the answer's body.
	Decoded bool
}
