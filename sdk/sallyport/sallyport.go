package sallyport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// defaultTimeout bounds a call, its answer's body included. It leaves room for the longest ?wait= (60 s).
const defaultTimeout = 90 * time.Second

// New returns a client of the admin API at a base address ("https://control.example.com") that presents
// an access token ("spat_…"). Without [WithHTTPClient], a call may take 90 s.
func New(base, token string, options ...ClientOption) (*ClientWithResponses, error) {
	address, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("base address: %w", err)
	}
	if address.Scheme != "https" && address.Scheme != "http" || address.Host == "" {
		return nil, errors.New("base address: want https:// or http:// and a host")
	}
	if strings.ContainsAny(token, " \r\n\t") || token == "" {
		return nil, errors.New("access token: want one word")
	}
	present := func(_ context.Context, request *http.Request) error {
		request.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
	defaults := []ClientOption{
		WithHTTPClient(&http.Client{Timeout: defaultTimeout, CheckRedirect: refuseRedirect}),
		WithRequestEditorFn(present),
	}
	return NewClientWithResponses(base, append(defaults, options...)...)
}

// refuseRedirect keeps the token from being sent on: the API redirects nobody.
func refuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Error makes a problem an error: its code, what happened, and every bad field.
func (p *Problem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%d)", p.Code, p.Status)
	if p.Detail != "" {
		b.WriteString(": " + p.Detail)
	}
	for _, field := range p.Errors {
		fmt.Fprintf(&b, "; %s: %s (%s)", field.Pointer, field.Detail, field.Code)
	}
	for _, referrer := range p.Referrers {
		fmt.Fprintf(&b, "; referred to by %s %s", referrer.Collection, referrer.Name)
	}
	if p.RequestID != "" {
		b.WriteString(" [" + p.RequestID + "]")
	}
	return b.String()
}

// Answer is what every …WithResponse method returns.
type Answer interface {
	StatusCode() int
	GetBody() []byte
}

// Check returns the error of a call: err if it got no answer, a *[Problem] if the answer is one, nil for
// every status below 300.
func Check(answer Answer, err error) error {
	if err != nil {
		return err
	}
	if answer.StatusCode() < http.StatusMultipleChoices {
		return nil
	}
	var problem Problem
	if err := json.Unmarshal(answer.GetBody(), &problem); err != nil || problem.Code == "" {
		return fmt.Errorf("the answer has status %d and is no problem: is this Sallyport's admin API?", answer.StatusCode())
	}
	return &problem
}
