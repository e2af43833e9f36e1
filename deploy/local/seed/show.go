package seed

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// client is for requests that the demo shows, one after the other.
var client = &http.Client{Timeout: 10 * time.Second}

// Shown is one request of the demo and how it was answered.
type Shown struct {
	// What it shows.
	What string
	// Key that it carried; empty: none.
	Key string
	// Path asked for.
	Path string
	// Want and Got are statuses.
	Want, Got int
}

// Injection is the target of a request with an SQL injection.
const Injection = "/hello?id=1%27+or+%271%27=%271"

// WhyBlocked asks the nodes why they refuse the injection, in words for operators.
func WhyBlocked(ctx context.Context, api API, environment string) (string, error) {
	answer, err := api.Do(ctx, http.MethodPost, "/api/v1/environments/"+environment+"/explain", object{"target": Injection})
	if err != nil {
		return "", fmt.Errorf("ask why the injection is blocked: %w", err)
	}
	var explained struct {
		Nodes []struct {
			Reason string `json:"reason"`
		} `json:"nodes"`
	}
	if err := json.Unmarshal(answer, &explained); err != nil || len(explained.Nodes) == 0 {
		return "", fmt.Errorf("ask why the injection is blocked: no node in the answer (%w)", err)
	}
	return explained.Nodes[0].Reason, nil
}

// Show sends the demo's requests to an edge: allowed, attacking, unauthenticated, forbidden, limited.
func Show(ctx context.Context, edge string, keys Keys) ([]Shown, error) {
	shown := []Shown{
		{What: "public route", Path: "/hello", Want: http.StatusOK},
		{What: "an SQL injection", Path: Injection, Want: http.StatusForbidden},
		{What: "no key", Path: "/orders/7", Want: http.StatusUnauthorized},
		{What: "a key without the scope", Path: "/orders/7", Key: keys.Guest, Want: http.StatusForbidden},
		{What: "a key with the scope", Path: "/orders/7", Key: keys.Shop, Want: http.StatusOK},
	}
	for i := range shown {
		if err := send(ctx, edge, &shown[i]); err != nil {
			return nil, err
		}
	}
	// What the limit leaves depends on what was sent before: the demo asks until it is used up.
	limited := Shown{What: fmt.Sprintf("more than %d requests in %s", LimitRequests, LimitWindow), Path: "/orders/7", Key: keys.Shop, Want: http.StatusTooManyRequests}
	for range LimitRequests + 1 {
		if err := send(ctx, edge, &limited); err != nil {
			return nil, err
		}
		if limited.Got == limited.Want {
			break
		}
	}
	return append(shown, limited), nil
}

func send(ctx context.Context, edge string, s *Shown) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, edge+s.Path, nil)
	if err != nil {
		return fmt.Errorf("show %s: %w", s.What, err)
	}
	if s.Key != "" {
		request.Header.Set("X-Api-Key", s.Key)
	}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("show %s: %w", s.What, err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body) // only so that the connection can be used again
	s.Got = answer.StatusCode
	return nil
}
