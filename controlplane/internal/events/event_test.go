package events

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

func TestWhatWasDoneIsAnEventAndWhatWasRefusedIsNone(t *testing.T) {
	object := func(fields map[string]any) *structpb.Struct {
		s, err := structpb.NewStruct(fields)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	const environment = "env_1"
	for name, test := range map[string]struct {
		audited *adminv1.AuditEvent
		want    string // types, each with its facts
	}{
		"a key is revoked": {
			&adminv1.AuditEvent{Changes: []*adminv1.AuditChange{{Action: "delete", Collection: "api-keys", Before: object(map[string]any{"consumer": "con_1", "prefix": "sp_x"})}}},
			"api-key.revoked map[consumer:con_1]",
		},
		"a key was leaked": {
			&adminv1.AuditEvent{Message: "leaked: scanner", Changes: []*adminv1.AuditChange{{Action: "leak", Collection: "api-keys", Before: object(map[string]any{"consumer": "con_1"})}}},
			"api-key.leaked map[consumer:con_1 message:leaked: scanner]",
		},
		"an issuer takes a key back": {
			&adminv1.AuditEvent{Changes: []*adminv1.AuditChange{{Action: "retire-key", Collection: "issuer-keys", Before: object(map[string]any{"kid": "k1", "algorithm": "ES256"})}}},
			"issuer.key-retired map[algorithm:ES256 kid:k1]",
		},
		"a consumer is suspended": {
			&adminv1.AuditEvent{Changes: []*adminv1.AuditChange{{Action: "update", Collection: "consumers", Fields: []string{"/suspended"}, After: object(map[string]any{"suspended": true})}}},
			"consumer.suspended map[]",
		},
		"and resumed": {
			&adminv1.AuditEvent{Changes: []*adminv1.AuditChange{{Action: "update", Collection: "consumers", Fields: []string{"/suspended"}, After: object(map[string]any{})}}},
			"consumer.resumed map[]",
		},
		"another field of it changes": {
			&adminv1.AuditEvent{Changes: []*adminv1.AuditChange{{Action: "update", Collection: "consumers", Fields: []string{"/labels"}, After: object(map[string]any{"suspended": true})}}}, "",
		},
		"a revision is published": {
			&adminv1.AuditEvent{Revision: 7, Message: "why", Changes: []*adminv1.AuditChange{{Action: "create", Collection: "routes"}}}, "revision.published map[message:why revision:7]",
		},
		"an alarm":        {&adminv1.AuditEvent{Outcome: "alarm", Message: "a head is gone"}, "audit.alarm map[message:a head is gone]"},
		"it was refused":  {&adminv1.AuditEvent{Outcome: "denied", Changes: []*adminv1.AuditChange{{Action: "delete", Collection: "api-keys"}}}, ""},
		"another chain":   {&adminv1.AuditEvent{Chain: "other", Changes: []*adminv1.AuditChange{{Action: "delete", Collection: "api-keys"}}}, ""},
		"nothing changed": {&adminv1.AuditEvent{}, ""},
	} {
		if test.audited.GetOutcome() == "" {
			test.audited.Outcome = "done"
		}
		if test.audited.GetChain() == "" {
			test.audited.Chain = environment
		}
		test.audited.Environment = environment
		var got []string
		for _, e := range FromAudit(test.audited) {
			got = append(got, e.GetType()+" "+fmt.Sprint(e.GetFacts()))
		}
		if strings.Join(got, ", ") != test.want {
			t.Errorf("%s: %q instead of %q", name, got, test.want)
		}
	}
}

// The example of the Standard Webhooks specification.
func TestPostsAreSignedAsTheSpecificationHasIt(t *testing.T) {
	secret, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := signatures([][]byte{secret}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("signed %s", got)
	}
	if two := signatures([][]byte{secret, secret}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`)); two != got+" "+got {
		t.Errorf("by two secrets: %s", two)
	}
}

func TestAnAttemptIsRepeatedEverLaterAndThenGivenUp(t *testing.T) {
	for attempt := 1; attempt <= len(pauses); attempt++ {
		o := judge(attempt, http.StatusInternalServerError, nil)
		if o.State != Waiting || o.Pause < pauses[attempt-1] || o.Pause > pauses[attempt-1]*6/5 || o.Error != "the answer was 500" {
			t.Errorf("after attempt %d: %+v", attempt, o)
		}
	}
	for name, test := range map[string]struct {
		attempt, status int
		err             error
		want            string
	}{
		"the last fails":         {len(pauses) + 1, 503, nil, Dead},
		"nobody wants it":        {1, http.StatusGone, nil, Dead},
		"taken":                  {1, 204, nil, Delivered},
		"taken at last":          {len(pauses) + 1, 200, nil, Delivered},
		"no answer":              {1, 0, errors.New(strings.Repeat("x", 2000)), Waiting},
		"a redirect is no taker": {1, 302, nil, Waiting},
	} {
		if o := judge(test.attempt, test.status, test.err); o.State != test.want || len(o.Error) > maxError {
			t.Errorf("%s: %+v", name, o)
		}
	}
}
