package cors_test

import (
	"fmt"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies"
)

// However a preflight is written and whatever mode the policy is in, it is answered or it is authenticated: there is no third way to the service.
func TestNoPreflightReachesAServiceUnauthenticated(t *testing.T) {
	for _, mode := range []string{"enforce", "shadow", "off"} {
		for _, methods := range []string{`"methods": ["GET"]`, `"methods": ["GET", "OPTIONS"]`, `"methods": []`} {
			e := edgetest.New(t, policies.All()...)
			e.Configure(t, fmt.Sprintf(`{
				"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
				"routes": [
					{"name": "r", "service": "s", "paths": [{"prefix": "/"}], %s},
					{"name": "plain", "service": "s", "paths": [{"exact": "/x"}], "methods": ["OPTIONS", "PUT"]}
				],
				"policies": [
					{"name": "keys", "kind": "api-key", "config": {}, "attached_to": [{"environment": true}]},
					{"name": "pages", "kind": "cors", "mode": %q, "config": {"origins": ["*"], "refuse_unlisted": true}, "attached_to": [{"route": "r"}]},
					{"name": "who", "kind": "acl", "config": {"allow": [{"every_consumer": true}]}, "attached_to": [{"environment": true}]},
					{"name": "gone", "kind": "respond", "config": {"fixed": {"status": 410}}, "attached_to": [{"route": "plain"}]}
				]}`, methods, mode))
			for _, fields := range [][]string{
				{"Origin: https://a.example", "Access-Control-Request-Method: GET"},
				{"Origin: https://a.example", "Access-Control-Request-Method: PUT"},
				{"Origin: https://a.example", "Access-Control-Request-Method: OPTIONS"},
				{"Origin: https://a.example", "Access-Control-Request-Method: get"},
				{"Origin: https://a.example", "Access-Control-Request-Method: "},
				{"Origin: https://a.example", "Access-Control-Request-Method: GET", "Access-Control-Request-Method: PUT"},
				{"Origin: https://a.example", "Origin: https://b.example", "Access-Control-Request-Method: GET"},
				{"Origin: ", "Access-Control-Request-Method: GET"},
				{"Origin: null", "Access-Control-Request-Method: GET"},
				{"Access-Control-Request-Method: GET"},
				{"Origin: https://a.example"},
			} {
				for _, target := range []string{"/x", "/y"} {
					r := edgetest.Get(target, fields...)
					r.Method = "OPTIONS"
					if ex := e.Do(r); ex.Verdict == pipeline.Allowed && ex.AnsweredBy.Policy != "pages" || ex.Identity.Known() {
						t.Errorf("%s, %s: %q to %s: %s, answered by %q", mode, methods, fields, target, ex.Verdict, ex.AnsweredBy.Policy)
					}
				}
			}
		}
	}
}
