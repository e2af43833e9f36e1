package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// withPassword is the header that presents a username and password.
func withPassword(username, password string) http.Header {
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(username+":"+password))}}
}

// kindOf returns a policy of a kind on a service.
func kindOf(s *harness.Story, kind, service string, position int, config map[string]any) sallyport.Policy {
	return sallyport.Policy{
		Name: s.Name(kind), Kind: kind, Position: position, Config: config, AttachedTo: []sallyport.Attachment{{Service: service}},
	}
}

// behindPasswords makes a service that takes passwords alone, all of whose paths one route leads to, and a consumer with one.
func behindPasswords(s *harness.Story, target string) (sallyport.Service, sallyport.Consumer, sallyport.Password) {
	service := s.Service("service", target)
	s.Policy(kindOf(s, "basic", service.Name, 1, map[string]any{"realm": "orders"}))
	s.Route(sallyport.Route{Name: s.Name("route"), Service: service.Name, Paths: harness.Below("/")})
	consumer := s.Consumer("consumer")
	return service, consumer, s.Password(sallyport.Password{Consumer: consumer.Name, Username: s.Name("kim") + "@example.com"})
}

func TestAPasswordLetsItsConsumerInOnEveryEdgeAndNeverReachesTheService(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	_, consumer, made := behindPasswords(s, upstream.Address)

	if len(made.Password) < 20 || !strings.HasPrefix(made.ID, "pwd_") {
		t.Fatalf("the password that was made reads %+v", made)
	}
	for range 2 { // checked, then known
		s.ExpectAll("/", withPassword(made.Username, made.Password), http.StatusOK, "")
	}
	for _, header := range []http.Header{withPassword(made.Username, "guess"), withPassword("nobody", made.Password), {"Authorization": {"Basic x"}}} {
		s.ExpectAll("/", header, http.StatusUnauthorized, "credential_invalid")
	}
	answer := s.Expect(s.Edges()[0], "/", nil, http.StatusUnauthorized, "credential_missing")
	if got := answer.Header.Get("WWW-Authenticate"); got != `Basic realm="orders", charset="UTF-8"` {
		t.Errorf("the challenge is %q", got)
	}
	for _, reached := range upstream.Requests() {
		if reached.Header.Get("Authorization") != "" || reached.Header.Get("X-Sallyport-Consumer") != consumer.ID || reached.Header.Get("X-Sallyport-Credential") != made.ID {
			t.Errorf("the service got %v", reached.Header)
		}
	}

	one, err := s.API.GetPasswordWithResponse(t.Context(), s.Environment.Name, made.ID)
	s.Must(one, err)
	if strings.Contains(string(one.Body), made.Password) || !strings.Contains(string(one.Body), made.Username) {
		t.Errorf("read again it is %s", one.Body)
	}
}

func TestANewPasswordEndsTheOldOneAndItsStreamsOnEveryEdge(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	_, consumer, made := behindPasswords(s, ticker(t))
	other := s.Password(sallyport.Password{Consumer: consumer.Name, Username: s.Name("other"), Password: "a password of mine"})
	ended, going := openStreams(t, s, withPassword(made.Username, made.Password)), openStreams(t, s, withPassword(other.Username, "a password of mine"))

	patched, err := s.API.PatchPasswordWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, made.ID,
		&sallyport.PatchPasswordParams{Wait: s.Wait()}, map[string]any{"password": "quite another one"})
	s.Must(patched, err)
	s.Applied(patched.HTTPResponse)

	for _, one := range ended {
		one.ends(t)
	}
	for _, one := range going {
		one.goesOn(t)
	}
	s.ExpectAll("/", withPassword(made.Username, made.Password), http.StatusUnauthorized, "credential_invalid")

	gone, err := s.API.DeletePasswordWithResponse(t.Context(), s.Environment.Name, other.ID, &sallyport.DeletePasswordParams{Wait: s.Wait()})
	s.Must(gone, err)
	s.Applied(gone.HTTPResponse)
	for _, one := range going {
		one.ends(t)
	}
	for id, cause := range map[string]string{made.ID: "rotated", other.ID: "deleted"} {
		proof, err := s.API.GetPasswordRevocationWithResponse(t.Context(), s.Environment.Name, id)
		s.Must(proof, err)
		if proof.JSON200.Cause != cause {
			t.Errorf("the proof says %+v", proof.JSON200)
		}
	}
}

func TestWhoGuessesPasswordsWaitsAndNobodyElse(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback) // the address that guesses is everybody's
	_, consumer, made := behindPasswords(s, harness.NewUpstream(t, nil).Address)
	other := s.Password(sallyport.Password{Consumer: consumer.Name, Username: "other", Password: "a password of mine"})
	edge := s.Edges()[0]

	for i := range 6 {
		s.Expect(edge, "/", withPassword(made.Username, fmt.Sprint("guess ", i)), http.StatusUnauthorized, "credential_invalid")
	}
	refusal := s.Send(edge, http.MethodGet, "/", withPassword(made.Username, "guess"))
	if refusal.Status != http.StatusTooManyRequests || refusal.Code() != "too_many_failures" || refusal.Header.Get("Retry-After") != "1" {
		t.Errorf("the seventh guess is answered %s, %v", refusal, refusal.Header)
	}
	s.Expect(edge, "/", withPassword(other.Username, "a password of mine"), http.StatusOK, "")
	harness.Eventually(t, streamBound, func() error {
		if answer := s.Send(edge, http.MethodGet, "/", withPassword(made.Username, made.Password)); answer.Status != http.StatusOK {
			return fmt.Errorf("the owner is answered %s", answer)
		}
		return nil
	})
	metrics := s.Metrics(edge)
	if metrics.Sum("sallyport_edge_stage_verdicts_total", `kind="basic"`, `verdict="too_many_failures"`) < 1 || metrics.Sum("sallyport_edge_failure_keys") < 1 {
		t.Error("no metric tells of it")
	}
}
