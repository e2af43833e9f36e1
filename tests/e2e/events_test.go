package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
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
	receiver := harness.NewUpstream(t, nil)
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
	harness.Eventually(t, time.Minute, func() error {
		if n := len(receiver.Requests()); n < 2 {
			return fmt.Errorf("%d posts", n)
		}
		return nil
	})
	told := map[string]sallyport.Event{}
	for _, got := range receiver.Requests() {
		h := hmac.New(sha256.New, secret)
		fmt.Fprintf(h, "%s.%s.%s", got.Header.Get("Webhook-Id"), got.Header.Get("Webhook-Timestamp"), got.Body)
		if want := "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil)); got.Header.Get("Webhook-Signature") != want {
			t.Errorf("the post is signed %q; want %q", got.Header.Get("Webhook-Signature"), want)
		}
		var event sallyport.Event
		if err := json.Unmarshal([]byte(got.Body), &event); err != nil {
			t.Fatal(err)
		}
		told[event.Type] = event
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
