package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	probeInterval  = 25 * time.Millisecond
	requestTimeout = time.Minute // a write may wait for its nodes
	maxAnswer      = 4 << 20
)

// awaitPart returns once a part answers that it is ready, or is dead.
func (s *Stack) awaitPart(ctx context.Context, name string) error {
	p, err := s.part(name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	probe := s.probeURL(name)
	for {
		if s.answers(ctx, probe) {
			return nil
		}
		select {
		case <-p.current().Done():
			if !p.restart {
				return fmt.Errorf("%s ended before it was ready: %w", name, p.current().Err())
			}
		default:
		}
		if !sleep(ctx, probeInterval) {
			return fmt.Errorf("%s was not ready after %s", name, readyTimeout)
		}
	}
}

func (s *Stack) probeURL(name string) string {
	switch name {
	case Bus:
		return "tcp://" + s.at.bus
	case Demo:
		return "http://" + s.at.demo + "/"
	}
	for n := 1; n <= s.cfg.Replicas; n++ {
		if name == Replica(n) {
			return s.ReplicaURL(n) + "/readyz"
		}
	}
	for n := 1; n <= s.cfg.Edges; n++ {
		if name == Edge(n) {
			return s.EdgeAdminURL(n) + "/readyz"
		}
	}
	return ""
}

func (s *Stack) answers(ctx context.Context, target string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if address, ok := strings.CutPrefix(target, "tcp://"); ok {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		return err == nil && conn.Close() == nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return false
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return answer.StatusCode < http.StatusMultipleChoices
}

// ensureEnvironment makes the environment that the edges enrol in.
func (s *Stack) ensureEnvironment(ctx context.Context) error {
	_, err := s.Do(ctx, http.MethodGet, "/api/v1/environments/"+s.cfg.Environment, nil)
	var refused *RefusedError
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		_, err = s.Do(ctx, http.MethodPost, "/api/v1/environments", map[string]string{"name": s.cfg.Environment})
	}
	return err
}

func (s *Stack) tokenWorks(ctx context.Context) bool {
	_, err := s.Do(ctx, http.MethodGet, "/api/v1/environments", nil)
	return err == nil
}

// RefusedError is an answer of the REST API that is no success.
type RefusedError struct {
	// Status of the answer.
	Status int
	// Body is its problem.
	Body string
}

func (e *RefusedError) Error() string { return fmt.Sprintf("answered %d: %s", e.Status, e.Body) }

// Do asks the REST API as the stack's owner, and returns the answer's body.
func (s *Stack) Do(ctx context.Context, method, path string, body any) ([]byte, error) {
	var send io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
		send = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(ctx, method, s.URL()+path, send)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	request.Header.Set("Content-Type", "application/json")
	answer, err := s.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if answer.StatusCode >= http.StatusBadRequest {
		return nil, fmt.Errorf("%s %s: %w", method, path, &RefusedError{Status: answer.StatusCode, Body: strings.TrimSpace(string(data))})
	}
	return data, nil
}

// StatusCode returns the status of the answer.
func (e *RefusedError) StatusCode() int { return e.Status }
