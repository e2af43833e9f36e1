package publish_test

import (
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/problem"
)

func rotate(key, body string) publish.Operation {
	return publish.Operation{Verb: publish.Rotate, Collection: "api-keys", Key: key, Body: []byte(body)}
}

func TestAKeyIsRotatedOnce(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("consumers", `{"name":"app"}`), create("api-keys", `{"name":"old","consumer":"app"}`))
	r.must(rotate("old", `{"name":"next"}`))
	again := r.refused(rotate("old", `{"name":"again"}`)) // it would end when the old key's overlap does
	equal(t, "code", again.Code, problem.Conflict)
	r.must(rotate("next", `{"name":"third"}`))
	twice := r.refused(rotate("third", `{"name":"a"}`), rotate("third", `{"name":"b"}`))
	same(t, "in one batch", found(twice), []string{"/operations/1 conflict"})
	r.consistent()
}

func TestAnExpiredKeyIsRotatedOnlyToOneThatHasAnEnd(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("consumers", `{"name":"app"}`), create("api-keys", `{"name":"old","consumer":"app","expires_at":"2020-01-01T00:00:00Z"}`))
	same(t, "without an end", found(r.refused(rotate("old", `{}`))), []string{"/expires_at required"})
	r.must(rotate("old", `{"expires_at":"2999-01-01T00:00:00Z"}`))
	r.consistent()
}

func TestTheConsumerOfAKeyThatIsRotatedStays(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("consumers", `{"name":"app"}`), create("api-keys", `{"name":"old","consumer":"app"}`))
	refused := r.refused(rotate("old", `{"name":"next"}`), remove("api-keys", "old"), remove("consumers", "app"))
	equal(t, "code", refused.Code, problem.Referenced)
	equal(t, "referrers", len(refused.Referrers), 1)
	equal(t, "referrer", refused.Referrers[0].Name, "next")
	r.must(rotate("old", `{"name":"next"}`), remove("api-keys", "next"), remove("api-keys", "old"), remove("consumers", "app"))
	r.consistent()
}
