package proxy

import (
	"strconv"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/proto/identitykey"
	"github.com/sallyport/sallyport/proto/problem"
)

// keySet is the type of a set of keys (RFC 7517, section 8.5.2).
const keySet = "application/jwk-set+json"

const methodGet, methodHead = "GET", "HEAD"

var keySetAge = "public, max-age=" + strconv.Itoa(int(identitykey.SetAge/time.Second))

// publishes tells whether a request is for the environment's identity keys.
func publishes(ex *pipeline.Exchange, settings *snapshot.Settings) bool {
	return settings.IdentityKeysPath != "" && ex.Request.Path == settings.IdentityKeysPath
}

// publish answers with the public halves of the environment's identity keys. They are nobody's secret: whoever reaches the node may have them.
func (p *Proxy) publish(ex *pipeline.Exchange, by *snapshot.Snapshot) {
	ex.Revision = by.Revision
	if m := ex.Request.Method; m != methodGet && m != methodHead {
		r := ex.Reject(problem.MethodNotAllowed, "", "the set of identity keys is only read")
		r.Header.Add("Allow", methodGet+", "+methodHead)
		ex.Refuse(r)
		return
	}
	keys, keep := p.directory.IdentityKeys(), keySetAge
	if keys == nil {
		keep = "no-store" // there may be some in a moment
	}
	_ = ex.Reply(200, keys.Set()) // there is no loop of stages to tell
	ex.Verdict = pipeline.Allowed
	ex.Response.Header.Add("Content-Type", keySet)
	ex.Response.Header.Add("Cache-Control", keep)
	ex.Response.Header.Add("X-Content-Type-Options", "nosniff")
}
