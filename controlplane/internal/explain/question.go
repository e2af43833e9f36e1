package explain

import (
	"cmp"
	"context"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/validate"
)

// maxQuestion bounds a question, in bytes: a node takes no message of more than 64 KiB.
const maxQuestion = 48 << 10

// What a request has that doesn't say.
const (
	defaultMethod   = "GET"
	defaultHost     = "localhost"
	defaultProtocol = "HTTP/1.1"
	defaultAddress  = "192.0.2.1" // of a range that belongs to nobody (RFC 5737)
)

// question returns what nodes are asked. Everything that is wrong comes back at once.
func (e *Explainer) question(ctx context.Context, environment string, r *adminv1.HypotheticalRequest) (*edgev1.Question, error) {
	if err := problem.Invalid(append(validate.Message(r), check(r)...)...); err != nil {
		return nil, err
	}
	asked := &edgev1.ExplainQuestion{
		Method: cmp.Or(r.GetMethod(), defaultMethod), Target: r.GetTarget(), Protocol: cmp.Or(r.GetProtocol(), defaultProtocol),
		Host: cmp.Or(r.GetHost(), defaultHost), Peer: cmp.Or(r.GetAddress(), defaultAddress), BodyBytes: r.GetBodyBytes(),
		Scheme: r.GetScheme(),
	}
	for _, h := range r.GetHeaders() {
		asked.Headers = append(asked.Headers, &edgev1.HeaderField{Name: h.GetName(), Value: h.GetValue()})
	}
	if err := e.assume(ctx, environment, r.GetCaller(), asked); err != nil {
		return nil, err
	}
	if size := proto.Size(asked); size > maxQuestion {
		return nil, problem.Errorf(problem.TooLarge, "the request has %d bytes, at most %d can be explained: shorten its headers", size, maxQuestion)
	}
	return &edgev1.Question{Question: &edgev1.Question_Explain{Explain: asked}}, nil
}

// check returns what is wrong beyond the rules of single fields. No value is repeated: it may be a secret.
func check(r *adminv1.HypotheticalRequest) []problem.Violation {
	var violations []problem.Violation
	invalid := func(detail string, at ...any) {
		violations = append(violations, problem.Violation{Pointer: problem.Pointer(at...), Code: problem.ViolationInvalidValue, Detail: detail})
	}
	for i, h := range r.GetHeaders() {
		switch {
		case strings.EqualFold(h.GetName(), "Host"):
			invalid("The host has a field of its own: host.", "headers", i, "name")
		case strings.EqualFold(h.GetName(), "Content-Length"):
			invalid("The body's size has a field of its own: body_bytes.", "headers", i, "name")
		}
	}
	if c := r.GetCaller(); c != nil {
		switch {
		case (c.GetApiKey() == "") == (c.GetConsumer() == ""):
			invalid("The caller is an api_key or a consumer: one of them.", "caller")
		case c.GetApiKey() != "" && len(c.GetScopes()) > 0:
			invalid("An API key has scopes of its own: they can only be given for a consumer.", "caller", "scopes")
		}
	}
	return violations
}

// assume says whose credential the request is taken to show.
func (e *Explainer) assume(ctx context.Context, environment string, c *adminv1.HypotheticalCaller, asked *edgev1.ExplainQuestion) error {
	switch {
	case c.GetApiKey() != "":
		row, err := e.row(ctx, environment, directory.APIKeys, c.GetApiKey(), "api_key")
		if err != nil {
			return err
		}
		asked.Proof = row.Key[:]
	case c.GetConsumer() != "":
		row, err := e.row(ctx, environment, directory.Consumers, c.GetConsumer(), "consumer")
		if err != nil {
			return err
		}
		self, err := id.Parse(id.Consumer, row.Message.GetId())
		if err != nil {
			return err
		}
		asked.Consumer, asked.Scopes = self[:], c.GetScopes()
	}
	return nil
}

func (e *Explainer) row(ctx context.Context, environment, collection, key, field string) (directory.Row, error) {
	row, err := e.rows.Row(ctx, environment, collection, key)
	if problem.CodeOf(err) == problem.NotFound {
		return row, problem.Invalid(problem.Violation{
			Pointer: problem.Pointer("caller", field), Code: problem.ViolationUnknownReference, Detail: "There is none of this id or name in the environment.", Given: key,
		})
	}
	return row, err
}
