package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/publish"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// Headers of an answer to a write.
const (
	headerRevision = "Sallyport-Revision"
	headerSequence = "Sallyport-Sequence"
	headerApplied  = "Sallyport-Applied"
)

// maxWait bounds ?wait=.
const maxWait = 60 * time.Second

// options are what every write can be asked.
type options struct {
	dryRun bool
	force  bool          // make it although something speaks against it that its author may decide on
	wait   time.Duration // 0: don't
}

func (s *Server) createObject(x *exchange, c collection) error {
	return s.write(x, c, publish.Operation{Verb: publish.Create, Collection: c.name, Body: x.body})
}

// putObject creates or replaces; with If-None-Match: * it only creates (RFC 9110 §13.1.2).
func (s *Server) putObject(x *exchange, c collection) error {
	key, err := x.key(c)
	if err != nil {
		return err
	}
	switch x.request().Header.Get("If-None-Match") {
	case "":
		return s.write(x, c, publish.Operation{Verb: publish.Put, Collection: c.name, Key: key, Body: x.body, IfMatch: x.ifMatch()})
	case "*":
		if x.ifMatch() != "" {
			return problem.Errorf(problem.PreconditionFailed, "If-Match and If-None-Match: * can't both hold")
		}
		return s.createNamed(x, c, key)
	default:
		return problem.Invalid(problem.Violation{
			Pointer: "/If-None-Match", Code: problem.ViolationInvalidValue, Detail: "A write takes only *, which asks that the object not exist yet.", Allowed: "*",
		})
	}
}

// createNamed is a put that must not find an object of this name. It is a create, so that of two at
// once only one succeeds; the name may be left out of the body as in any put.
func (s *Server) createNamed(x *exchange, c collection, key string) error {
	if c.singleton {
		return problem.Errorf(problem.PreconditionFailed, "there always is exactly one object of this type")
	}
	if id.LooksLikeID(key) {
		return s.existing(x, c, key)
	}
	var named struct {
		Name *string `json:"name"`
	}
	if json.Unmarshal(x.body, &named) == nil && named.Name == nil {
		x.body = withName(x.body, key)
	}
	if named.Name != nil && *named.Name != key {
		return problem.Invalid(problem.Violation{
			Pointer: "/name", Code: problem.ViolationInvalidValue, Detail: "What is created by this path has the path's name.",
			Given: shorten(*named.Name), Allowed: key,
		})
	}
	err := s.write(x, c, publish.Operation{Verb: publish.Create, Collection: c.name, Body: x.body})
	if problem.CodeOf(err) == problem.NameTaken {
		return problem.Errorf(problem.PreconditionFailed, "there is such an object already")
	}
	return err
}

// existing answers a create by id: an id is never chosen by a caller, so it is there or can't be made.
func (s *Server) existing(x *exchange, c collection, key string) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	if _, err := x.fetch(c, environment, key); err != nil {
		return err
	}
	return problem.Errorf(problem.PreconditionFailed, "there is such an object already")
}

// withName puts a name in front of a JSON object's members. The body is an object that has none.
func withName(body []byte, name string) []byte {
	members := map[string]json.RawMessage{}
	at := bytes.IndexByte(body, '{')
	if err := json.Unmarshal(body, &members); err != nil || at < 0 {
		return body // null, for one: the codec says what is wrong
	}
	separator := ","
	if len(members) == 0 {
		separator = ""
	}
	named := append([]byte(`{"name":`), strconv.Quote(name)...)
	named = append(named, separator...)
	return append(named, body[at+1:]...)
}

// existingKey is key for what is done to an object that is there: a condition that it isn't must not be passed over.
func (x *exchange) existingKey(c collection) (string, error) {
	if len(x.request().Header.Values("If-None-Match")) > 0 {
		return "", problem.Invalid(problem.Violation{
			Pointer: "/If-None-Match", Code: problem.ViolationInvalidValue, Detail: "Only PUT takes this header; this needs an object that is there.", Allowed: "If-Match",
		})
	}
	return x.key(c)
}

func (s *Server) patchObject(x *exchange, c collection) error {
	key, err := x.existingKey(c)
	if err != nil {
		return err
	}
	return s.write(x, c, publish.Operation{Verb: publish.Patch, Collection: c.name, Key: key, Body: x.body, IfMatch: x.ifMatch()})
}

func (s *Server) deleteObject(x *exchange, c collection) error {
	key, err := x.existingKey(c)
	if err != nil {
		return err
	}
	return s.write(x, c, publish.Operation{Verb: publish.Delete, Collection: c.name, Key: key, IfMatch: x.ifMatch()})
}

func (s *Server) rotate(x *exchange, c collection) error {
	key, err := x.existingKey(c)
	if err != nil {
		return err
	}
	return s.write(x, c, publish.Operation{Verb: publish.Rotate, Collection: c.name, Key: key, Body: x.body, IfMatch: x.ifMatch()})
}

// write writes one operation and answers with what it made.
func (s *Server) write(x *exchange, c collection, op publish.Operation) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	opts, err := x.options()
	if err != nil {
		return err
	}
	result, err := s.Publisher.Apply(x.context(), publish.Batch{
		Environment: environment.GetId(), Author: x.actor, Operations: []publish.Operation{op}, DryRun: opts.dryRun, Force: opts.force,
		Override: x.overrides(opts),
	})
	if err != nil {
		return err
	}
	if opts.dryRun {
		return x.sendPlan(result)
	}
	s.announce(x, environment, opts, result)
	outcome := result.Outcomes[0]
	if outcome.Object == nil {
		return x.echo.NoContent(http.StatusNoContent)
	}
	x.header().Set("ETag", outcome.ETag)
	if !outcome.Created || c.singleton { // a singleton was there before it was first written
		return x.send(http.StatusOK, outcome.Object)
	}
	x.locate(outcome.Collection, outcome.ID)
	return x.send(http.StatusCreated, outcome.Object)
}

func (x *exchange) sendPlan(result publish.Result) error {
	plan, err := changesResponse(result, true)
	if err != nil {
		return err
	}
	return x.sendAs(http.StatusOK, mediaPlan, plan)
}

// ifMatch returns the tags that the object must have one of. A header that is there and empty matches
// nothing.
func (x *exchange) ifMatch() string {
	values := x.request().Header.Values("If-Match")
	switch {
	case len(values) == 0:
		return ""
	case len(values) == 1 && values[0] != "":
		return values[0]
	default:
		return joinTags(values)
	}
}

// options reads what every write can be asked.
func (x *exchange) options() (options, error) {
	var opts options
	var violations []problem.Violation
	opts.dryRun, violations = x.truth("dry_run", violations)
	opts.force, violations = x.truth("force", violations)
	if x.query.Has("wait") {
		text := x.query.Get("wait")
		wait, err := time.ParseDuration(text)
		if err != nil || wait < 0 || wait > maxWait {
			violations = append(violations, problem.Violation{
				Pointer: "/wait", Code: problem.ViolationOutOfRange, Detail: "How long to wait must be a duration in range.",
				Given: shorten(text), Allowed: "0s to 60s",
			})
		}
		opts.wait = wait
	}
	return opts, problem.Invalid(violations...)
}

// truth reads a query parameter that is true or false; false when it is absent.
func (x *exchange) truth(name string, violations []problem.Violation) (bool, []problem.Violation) {
	text := x.query.Get(name)
	if x.query.Has(name) && text != "true" && text != "false" {
		violations = append(violations, invalidParameter(name, "This is neither true nor false.", text, "true, false"))
	}
	return text == "true", violations
}

// announce sets the headers that tell what a write made and, if asked to wait, how many nodes have it.
func (s *Server) announce(x *exchange, environment *adminv1.Environment, opts options, result publish.Result) {
	if result.Revision > 0 {
		x.header().Set(headerRevision, strconv.FormatUint(result.Revision, 10))
	}
	if result.Sequence > 0 {
		x.header().Set(headerSequence, strconv.FormatUint(result.Sequence, 10))
	}
	if opts.wait > 0 {
		s.awaitNodes(x, environment, opts.wait, result)
	}
}
