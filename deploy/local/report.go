package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/sallyport/sallyport/deploy/local/seed"
	"github.com/sallyport/sallyport/deploy/local/stack"
)

// report prints what runs, what the demo showed, and how to go on.
func report(ctx context.Context, out io.Writer, s *stack.Stack, set settings, keys seed.Keys) error {
	fmt.Fprintf(out, "\nSallyport runs.\n\n")
	fmt.Fprintf(out, "  Admin API  %s/api/v1   (environment %q)\n", s.URL(), set.environment)
	fmt.Fprintf(out, "  Console    %s   (sign in by “Use an access token”, with the token)\n", s.ConsoleURL())
	fmt.Fprintf(out, "  Token      %s\n", s.Token())
	for n := 1; n <= s.Edges(); n++ {
		fmt.Fprintf(out, "  Edge %d     %s   (operator: %s)\n", n, s.EdgeURL(n), s.EdgeAdminURL(n))
	}
	fmt.Fprintf(out, "  Service    http://%s   (the demo behind the gateway)\n", s.DemoAddress())
	for _, dir := range s.DatabaseDirs() {
		fmt.Fprintf(out, "  Database   %s\n", dir)
	}
	fmt.Fprintf(out, "  Log        %s\n", filepath.Join(set.dir, "log"))
	fmt.Fprintf(out, "  For shells . %s\n\n", filepath.Join(set.dir, "env"))

	shown, err := seed.Show(ctx, s.EdgeURL(1), keys)
	if err != nil {
		return err //nolint:wrapcheck // says what
	}
	fmt.Fprintln(out, "What the gateway answered just now:")
	for _, r := range shown {
		fmt.Fprintf(out, "  %d  %-34s GET %s\n", r.Got, r.What, r.Path)
		if r.Got != r.Want {
			return fmt.Errorf("the demo's request with %s was answered %d, not %d", r.What, r.Got, r.Want)
		}
	}
	reason, err := seed.WhyBlocked(ctx, s, set.environment)
	if err != nil {
		return err //nolint:wrapcheck // says what
	}
	edge := s.EdgeURL(1)
	fmt.Fprintf(out, `
Try it:
  curl -i %[1]s/hello                               # 200: public
  curl -i "%[1]s%[10]s"     # 403: an SQL injection, which the operator is told to be:
                                                            #   %[11]s
  curl -i %[1]s/orders/7                            # 401: no key
  curl -i -H 'X-Api-Key: %[2]s' %[1]s/orders/7   # 403: lacks the scope
  curl -i -H 'X-Api-Key: %[3]s' %[1]s/orders/7   # 200, then 429 after %[4]d in %[5]s
  curl -i -H 'Content-Type: application/json' -d '{"items":[{"price":-1}]}' %[1]s/drafts   # refused: /items/0/price breaks the schema
  curl -s -H 'Authorization: Bearer %[6]s' '%[7]s/api/v1/environments/%[8]s/usage?group_by=route,verdict'

Ctrl-C stops everything; the data stays in %[9]s.
`, edge, keys.Guest, keys.Shop, seed.LimitRequests, seed.LimitWindow, s.Token(), s.URL(), set.environment, set.dir, seed.Injection, reason)
	return nil
}
