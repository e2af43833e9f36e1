package api

import (
	"net/http"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/keylife"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/validate"
)

// addKeyLife gives the operations on many keys at once, and the one that tells how one is used, their handlers.
func (s *Server) addKeyLife(handlers map[string]handler) {
	handlers["getApiKeyUse"] = s.getAPIKeyUse
	handlers["revokeApiKeys"] = func(x *exchange) error {
		return onKeys(s, x, new(adminv1.RevokeApiKeysRequest), func(r keylife.Request, m *adminv1.RevokeApiKeysRequest) (proto.Message, publish.Result, error) {
			return s.Keys.Revoke(x.context(), r, m)
		})
	}
	handlers["reportLeakedApiKeys"] = func(x *exchange) error {
		return onKeys(s, x, new(adminv1.LeakedApiKeysRequest), func(r keylife.Request, m *adminv1.LeakedApiKeysRequest) (proto.Message, publish.Result, error) {
			return s.Keys.Leaked(x.context(), r, m)
		})
	}
	handlers["importApiKeys"] = func(x *exchange) error {
		return onKeys(s, x, new(adminv1.ImportApiKeysRequest), func(r keylife.Request, m *adminv1.ImportApiKeysRequest) (proto.Message, publish.Result, error) {
			return s.Keys.Import(x.context(), r, m)
		})
	}
}

func (s *Server) getAPIKeyUse(x *exchange) error {
	environment, key, err := s.keyed(x)
	if err != nil {
		return err
	}
	use, err := s.Keys.Use(x.context(), keylife.Request{Environment: environment.GetId(), Author: x.actor, Bounds: x.bounds}, key)
	if err != nil {
		return err
	}
	return x.send(http.StatusOK, use)
}

// onKeys reads what is asked of many keys, does it and answers.
func onKeys[M proto.Message](s *Server, x *exchange, wanted M, do func(keylife.Request, M) (proto.Message, publish.Result, error)) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	opts, err := x.options()
	if err != nil {
		return err
	}
	if err := x.decode(wanted); err != nil {
		return err
	}
	if err := problem.Invalid(validate.Message(wanted)...); err != nil {
		return err
	}
	answer, result, err := do(keylife.Request{
		Environment: environment.GetId(), Author: x.actor, Bounds: x.bounds, DryRun: opts.dryRun, Force: opts.force,
	}, wanted)
	if err != nil {
		return err
	}
	if !opts.dryRun {
		s.announce(x, environment, opts, result)
	}
	return x.send(http.StatusOK, answer)
}
