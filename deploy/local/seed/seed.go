// Package seed fills the local stack with a small environment to look at, and shows on it what the gateway does.
//
// It owns the demo's objects, the keys that it made (kept in a file, since the product shows a key once) and the requests that show
// a caller allowed, unauthenticated, forbidden and limited. It speaks to the product through the REST API and an edge alone.
package seed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
)

// API is the product's REST API, as its owner.
type API interface {
	Do(ctx context.Context, method, path string, body any) ([]byte, error)
}

// Keys are the demo's API keys.
type Keys struct {
	// Shop may read orders.
	Shop string `json:"shop"`
	// Guest is a valid key without any scope.
	Guest string `json:"guest"`
}

// Limit of the orders route.
const (
	LimitRequests = 5
	LimitWindow   = "10s"
)

// draftsAPI is the demo's API description.
const draftsAPI = `openapi: 3.1.0
info: {title: Drafts, version: "1"}
paths:
  /drafts:
    post:
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [items]
              properties:
                items: {type: array, items: {type: object, properties: {name: {type: string}, price: {type: number, minimum: 0}}}}
      responses: {"200": {description: It is a draft.}}
`

const keysFile = "demo-keys.json"

type object = map[string]any

// Demo makes the environment's demo objects unless they are there, and returns the keys. dir keeps them.
func Demo(ctx context.Context, api API, environment, target, dir string) (Keys, error) {
	base := "/api/v1/environments/" + environment
	put := func(collection, name string, body object) object {
		return object{"action": "put", "collection": collection, "key": name, "body": body}
	}
	batch := object{
		"message": "Seed the demo",
		"operations": []object{
			put("settings", "settings", object{"description": "Targets of the demo are on this machine.", "allowed_target_ranges": []string{"127.0.0.0/8"}}),
			put("services", "demo", object{"description": "Answers with what it saw.", "upstream": object{"targets": []object{{"address": target}}}}),
			put("routes", "hello", object{"service": "demo", "paths": []object{{"exact": "/hello"}}, "public": true}),
			put("policies", "hello-waf", object{"kind": "waf", "attached_to": []object{{"route": "hello"}}, "config": object{}}),
			put("routes", "orders", object{"service": "demo", "paths": []object{{"prefix": "/orders"}}}),
			put("policies", "orders-key", object{
				"kind": "api-key", "attached_to": []object{{"route": "orders"}},
				"config": object{"required_scopes": []string{"orders:read"}},
			}),
			put("policies", "orders-limit", object{
				"kind": "rate-limit", "attached_to": []object{{"route": "orders"}},
				"config": object{"by": []object{{"key": true}}, "windows": []object{{"requests": LimitRequests, "window": LimitWindow}}},
			}),
			put("api-descriptions", "drafts", object{"description": "What a draft of an order looks like.", "document": draftsAPI}),
			put("routes", "drafts", object{"service": "demo", "paths": []object{{"exact": "/drafts"}}, "public": true}),
			put("policies", "drafts-api", object{"kind": "openapi", "attached_to": []object{{"route": "drafts"}}, "config": object{"description": "drafts"}}),
			put("consumers", "shop", object{"description": "May read orders."}),
			put("consumers", "guest", object{"description": "Has a key, and no scope."}),
		},
	}
	if _, err := api.Do(ctx, http.MethodPost, base+"/changes?wait=30s", batch); err != nil {
		return Keys{}, fmt.Errorf("seed the demo: %w", err)
	}
	return ensureKeys(ctx, api, base, filepath.Join(dir, keysFile))
}

func ensureKeys(ctx context.Context, api API, base, file string) (Keys, error) {
	var keys Keys
	kept, err := os.ReadFile(file)
	if err == nil {
		if err := json.Unmarshal(kept, &keys); err != nil {
			return Keys{}, fmt.Errorf("read %s: %w", file, err)
		}
		return keys, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return Keys{}, err //nolint:wrapcheck // names the file
	}
	if keys.Shop, err = makeKey(ctx, api, base, "shop", []string{"orders:read"}); err != nil {
		return Keys{}, err
	}
	if keys.Guest, err = makeKey(ctx, api, base, "guest", nil); err != nil {
		return Keys{}, err
	}
	data, err := json.Marshal(keys)
	if err != nil {
		return Keys{}, fmt.Errorf("keep the demo's keys: %w", err)
	}
	return keys, os.WriteFile(file, append(data, '\n'), 0o600)
}

// makeKey makes a key, in place of one whose text nobody kept.
func makeKey(ctx context.Context, api API, base, consumer string, scopes []string) (string, error) {
	name := consumer + "-key"
	_, err := api.Do(ctx, http.MethodDelete, base+"/api-keys/"+name, nil)
	var refused interface{ StatusCode() int }
	notThere := errors.As(err, &refused) && refused.StatusCode() == http.StatusNotFound
	if err != nil && !notThere {
		return "", fmt.Errorf("replace the key of %s: %w", consumer, err)
	}
	answer, err := api.Do(ctx, http.MethodPost, base+"/api-keys?wait=30s", object{"name": name, "consumer": consumer, "scopes": scopes})
	if err != nil {
		return "", fmt.Errorf("make a key for %s: %w", consumer, err)
	}
	var made struct {
		Key string `json:"key"`
	}
	if err := json.Unmarshal(answer, &made); err != nil || made.Key == "" {
		return "", fmt.Errorf("make a key for %s: no key in the answer", consumer)
	}
	return made.Key, nil
}
