package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/sallyport/sallyport/sdk/sallyport"
)

// do makes the request, or requests, and prints the answer, indented, and to notes how many nodes have what was written. A
// problem is returned as an error.
func (c *call) do(ctx context.Context, out, notes io.Writer) error {
	client, err := sallyport.New(c.base, c.token)
	if err != nil {
		return usageError(err.Error())
	}
	for _, body := range append([][]byte{c.body}, c.more...) {
		if err := c.ask(ctx, client, body, out, notes); err != nil {
			return err
		}
	}
	return nil
}

// ask makes one request.
func (c *call) ask(ctx context.Context, client *sallyport.ClientWithResponses, body []byte, out, notes io.Writer) error {
	answer, err := sallyport.Raw(ctx, client, c.method, c.path, c.media, body)
	if err != nil {
		return err
	}
	if err := sallyport.Check(answer, nil); err != nil {
		return err
	}
	if applied := answer.Response.Header.Get("Sallyport-Applied"); applied != "" {
		if _, err := fmt.Fprintf(notes, "applied by %s nodes\n", applied); err != nil {
			return err
		}
	}
	if len(answer.Body) == 0 {
		return nil
	}
	var text bytes.Buffer
	if err := json.Indent(&text, answer.Body, "", "  "); err != nil {
		return fmt.Errorf("the answer is no JSON: %w", err)
	}
	text.WriteByte('\n')
	_, err = text.WriteTo(out)
	return err
}
