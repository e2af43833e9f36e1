package sallyport

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// maxAnswer bounds what Raw reads of an answer, in bytes.
const maxAnswer = 64 << 20

// RawAnswer is an answer as it came.
type RawAnswer struct {
	Response *http.Response // its body is read already
	Body     []byte
}

// StatusCode returns the answer's status.
func (a *RawAnswer) StatusCode() int { return a.Response.StatusCode }

// GetBody returns the answer's body.
func (a *RawAnswer) GetBody() []byte { return a.Body }

// Raw sends JSON as it is and returns the answer as it came, for tools that pass bodies through. The path
// begins behind the base address ("/api/v1/environments"); an empty contentType sends no body.
func Raw(ctx context.Context, client *ClientWithResponses, method, path, contentType string, body []byte) (*RawAnswer, error) {
	plain, ok := client.ClientInterface.(*Client)
	if !ok {
		return nil, fmt.Errorf("raw requests go through a *Client, not a %T", client.ClientInterface)
	}
	request, err := http.NewRequestWithContext(ctx, method, plain.Server+trimSlash(path), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	for _, edit := range plain.RequestEditors {
		if err := edit(ctx, request); err != nil {
			return nil, err
		}
	}
	response, err := plain.Client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	return &RawAnswer{Response: response, Body: text}, nil
}

// trimSlash takes the slash off a path that the base address ends with.
func trimSlash(path string) string {
	for len(path) > 0 && path[0] == '/' {
		path = path[1:]
	}
	return path
}
