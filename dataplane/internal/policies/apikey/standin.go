package apikey

import (
	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/apikey"
	"github.com/sallyport/sallyport/proto/problem"
)

// present returns the key that a request shows, or the one that stands in for it in a dry run, and what the directory knows
// it by.
func (s *stage) present(ex *pipeline.Exchange) (directory.Key, apikey.Digest, *pipeline.Rejection) {
	if assumed := ex.Standin(); assumed != nil {
		return s.assume(ex, assumed)
	}
	text, refused := s.find(ex)
	if refused != nil {
		return directory.Key{}, apikey.Digest{}, refused
	}
	return s.lookUp(ex, text)
}

// assume returns the key whose proof is given, or one that a consumer might have: it never ends and is pinned to nothing. All
// that is held against a key that was shown is held against it too.
func (s *stage) assume(ex *pipeline.Exchange, a *pipeline.Assumed) (directory.Key, apikey.Digest, *pipeline.Rejection) {
	if a.Proof == (apikey.Digest{}) {
		return directory.KeyOf(a.Consumer, directory.NewScopeSet(a.Scopes...)), apikey.Digest{}, nil
	}
	key, ok := s.directory.Key(a.Proof)
	if !ok {
		return directory.Key{}, apikey.Digest{}, s.unauthenticated(ex, problem.CredentialInvalid, "", "this node knows no such key, or it was revoked")
	}
	return key, a.Proof, nil
}
