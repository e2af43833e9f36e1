package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// A program listens for what happens: it is posted what it asked for, signed, and reads the same in the feed.
func TestARevokedKeyIsToldOfToWhoListens(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1)
	type post struct {
		header http.Header
		body   string
	}
	posts := make(chan post, 100)
	receiver := harness.NewUpstream(t, http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		body, _ := io.ReadAll(in.Body)
		posts <- post{in.Header.Clone(), string(body)}
		out.WriteHeader(http.StatusNoContent)
	}))
	made, err := s.API.CreateWebhookWithResponse(t.Context(), s.Environment.Name, sallyport.Webhook{
		Name: "pager", URL: "http://" + receiver.Address + "/hooks", Types: []string{"api-key.*"},
	})
	s.Must(made, err)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	s.Revoke(p.Key)

	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(made.JSON201.Secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]sallyport.Event{}
	for len(told) < 2 {
		select {
		case got := <-posts:
			h := hmac.New(sha256.New, secret)
			fmt.Fprintf(h, "%s.%s.%s", got.header.Get("Webhook-Id"), got.header.Get("Webhook-Timestamp"), got.body)
			if want := "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil)); got.header.Get("Webhook-Signature") != want {
				t.Errorf("the post is signed %q; want %q", got.header.Get("Webhook-Signature"), want)
			}
			var event sallyport.Event
			if err := json.Unmarshal([]byte(got.body), &event); err != nil {
				t.Fatal(err)
			}
			told[event.Type] = event
		case <-time.After(time.Minute):
			t.Fatalf("only %v was posted", told)
		}
	}
	revoked := told["api-key.revoked"]
	if revoked.Object != p.Key.ID || revoked.Facts["consumer"] != p.Consumer.ID || strings.Contains(fmt.Sprint(told), p.Key.Key) {
		t.Errorf("posted was %+v", revoked)
	}
	feed, err := s.API.ListEventsWithResponse(t.Context(), s.Environment.Name, &sallyport.ListEventsParams{Types: pointer("api-key.revoked")})
	s.Must(feed, err)
	if got := feed.JSON200.Data; len(got) != 1 || got[0].ID != revoked.ID || got[0].Number != revoked.Number {
		t.Errorf("the feed has %+v", got)
	}
}

func TestAWebhookToTheOperatorsOwnNetworkIsRefused(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	for _, url := range []string{"http://169.254.169.254/latest/meta-data", "http://10.0.0.1/", "http://localhost:8080/", "https://user:password@hooks.example.com/"} {
		answer, err := s.API.CreateWebhookWithResponse(t.Context(), s.Environment.Name, sallyport.Webhook{Name: s.Name("hook"), URL: url})
		names(t, refused(t, "invalid_request", answer, err), map[string]string{"/url": "invalid_value"})
	}
}
