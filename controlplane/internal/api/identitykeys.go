package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sallyport/sallyport/proto/identitykey"
)

// mediaKeySet is the type of a set of keys (RFC 7517, section 8.5.2).
const mediaKeySet = "application/jwk-set+json"

// IdentitySets has the public halves of identity keys.
type IdentitySets interface {
	// Of returns those of an environment as JSON, by its id or name, and whether there are any; where there are none, an empty set.
	Of(ctx context.Context, idOrName string) (set []byte, some bool, err error)
}

// getIdentityKeys tells anybody by what to check identity tokens: the keys are public, and services have no access token.
func (s *Server) getIdentityKeys(x *exchange) error {
	environment, err := x.param("environment")
	if err != nil {
		return err
	}
	set, some, err := s.IdentitySets.Of(x.context(), environment)
	if err != nil {
		return err
	}
	if some { // else there may be some in a moment
		x.header().Set(echo.HeaderCacheControl, "public, max-age="+strconv.Itoa(int(identitykey.SetAge/time.Second)))
	}
	return x.echo.Blob(http.StatusOK, mediaKeySet, set)
}
