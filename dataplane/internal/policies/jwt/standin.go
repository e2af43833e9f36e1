package jwt

import (
	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/apikey"
	"github.com/sallyport/sallyport/proto/problem"
)

// assume returns whom a dry run takes for the bearer of a token: a consumer with scopes, of whatever issuer. All that is held against a
// consumer is held against them too. An API key that is assumed is no token.
func (s *stage) assume(ex *pipeline.Exchange, a *pipeline.Assumed) (pipeline.Identity, *pipeline.Rejection) {
	if a.Proof != (apikey.Digest{}) {
		r := ex.Reject(problem.CredentialMissing, "", "an API key is no token")
		r.Header.Add("WWW-Authenticate", s.missing)
		return pipeline.Identity{}, r
	}
	consumer, known := s.directory.Consumer(a.Consumer)
	if !known {
		return pipeline.Identity{}, s.unauthenticated(ex, problem.CredentialInvalid, "", "this node knows no such consumer")
	}
	if denied := s.directory.AdmitToken(&directory.Token{}, consumer, ex.Now); denied != "" {
		return pipeline.Identity{}, ex.Reject(denied, "", "the consumer is suspended or blocked")
	}
	return pipeline.Identity{Consumer: consumer, Scopes: directory.NewScopeSet(a.Scopes...)}, nil
}
