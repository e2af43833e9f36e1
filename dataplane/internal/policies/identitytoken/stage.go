package identitytoken

import (
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	contract "github.com/sallyport/sallyport/proto/policy/identitytoken"
)

// Binding joins the contract of "identity-token" with its stage.
var Binding = pipeline.Bind(contract.Kind, compile)

const authorization = "Authorization"

// errNoForm can't come of a stored configuration, which has one.
var errNoForm = errors.New("form: neither token nor headers")

// stage is immutable.
type stage struct {
	names []string // of the fields that never come from a client
	tells teller
	takes bool // the caller's own token out
}

// teller says in a request who calls.
type teller interface {
	tell(ex *pipeline.Exchange, who *pipeline.Identity) error
}

func compile(env pipeline.Env, config *policyv1.IdentityToken) (pipeline.Stage, error) {
	s := &stage{takes: config.GetInboundToken() == policyv1.InboundToken_INBOUND_TOKEN_REMOVE}
	var err error
	switch {
	case config.GetToken() != nil:
		s.names = []string{config.GetToken().GetHeader()}
		if s.tells, err = newSigned(env, config.GetToken()); err != nil {
			return nil, fmt.Errorf("token.%w", err)
		}
	case config.GetHeaders() != nil:
		fields := newFields(config.GetHeaders())
		for i := range fields {
			s.names = append(s.names, fields[i].name)
		}
		s.tells = fields
	default:
		return nil, errNoForm
	}
	for i, name := range s.names {
		if why := contract.Refused(name); why != "" {
			return nil, fmt.Errorf("fields[%d]: %s can't speak of callers: it %s", i, name, why)
		}
	}
	return s, nil
}

// Request implements pipeline.Stage.
func (s *stage) Request(ex *pipeline.Exchange) error {
	who := &ex.Identity
	strip(&ex.Request.Header, s.names)
	if !who.Known() {
		return nil
	}
	if s.takes && who.Claims != nil {
		strip(&ex.Request.Header, inbound[:])
	}
	return s.tells.tell(ex, who)
}

// inbound is where a caller's own token lies.
var inbound = [...]string{authorization}

// strip takes fields out, under every name that a service may read as theirs. Most requests have none.
func strip(header *pipeline.Header, names []string) {
	for _, f := range header.Fields() {
		if readsAsAny(f.Name, names) {
			header.DeleteFunc(func(f pipeline.Field) bool { return readsAsAny(f.Name, names) })
			return
		}
	}
}

func readsAsAny(name string, names []string) bool {
	for _, n := range names {
		if contract.Reads(name, n) {
			return true
		}
	}
	return false
}
