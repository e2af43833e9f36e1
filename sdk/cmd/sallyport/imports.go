package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

const (
	// maxExport bounds an export, in bytes.
	maxExport = 64 << 20
	// itemsAtOnce is how many keys one request takes over.
	itemsAtOnce = 1000
	// weakBelow and weakVariety are what the server demands of a key, which sees none of those that come from here.
	weakBelow   = 16
	weakVariety = 6
	// maxKey is the length of the longest key that can be taken over.
	maxKey = 128
	// maxName is the length of the longest name.
	maxName = 63
)

// exportedKey is a key as another gateway's export has it.
type exportedKey struct {
	consumer string // as it is called there; "": nothing says whose it is
	text     string
	id       string // of the credential, as far as it has one
	expires  time.Time
}

// exports read the exports of other gateways.
var exports = map[string]func(data []byte) ([]exportedKey, error){"kong": fromKong, "apisix": fromAPISIX}

// importItem is a key as the API takes it over: without its text.
type importItem struct {
	Consumer    string            `json:"consumer"`
	SHA256      string            `json:"sha256"`
	Description string            `json:"description,omitempty"`
	Labels      map[string]string `json:"labels"`
	ExpiresAt   string            `json:"expires_at,omitempty"`
}

// importBodies returns the requests that take over the keys of an export, and tells notes of those that are left out. Only digests of keys leave
// this machine.
func importBodies(from string, data []byte, weak bool, now time.Time, notes io.Writer) ([][]byte, error) {
	read, known := exports[from]
	if !known {
		return nil, usageError(fmt.Sprintf("exports of %q can't be read, those of kong and apisix can", from))
	}
	if len(data) > maxExport {
		return nil, fmt.Errorf("the export is larger than %d bytes; hand it in in parts", maxExport)
	}
	keys, err := read(data)
	if err != nil {
		return nil, fmt.Errorf("read the export of %s: %w", from, err)
	}
	items, err := itemsOf(from, keys, weak, now, notes)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("the export of %s holds no key that can be taken over", from)
	}
	var bodies [][]byte
	for start := 0; start < len(items); start += itemsAtOnce {
		body, err := json.Marshal(map[string]any{"create_consumers": true, "items": items[start:min(start+itemsAtOnce, len(items))]})
		if err != nil {
			return nil, fmt.Errorf("make the request: %w", err)
		}
		bodies = append(bodies, body)
	}
	return bodies, nil
}

func itemsOf(from string, keys []exportedKey, weak bool, now time.Time, notes io.Writer) ([]importItem, error) {
	var items []importItem
	called := make(map[string]string) // by the name that it gets here, what a consumer is called there
	for i, key := range keys {
		name := nameOf(key.consumer)
		if why := key.unusable(name, weak, now); why != "" {
			if _, err := fmt.Fprintf(notes, "left out: key %d, of consumer %q: %s\n", i+1, key.consumer, why); err != nil {
				return nil, fmt.Errorf("tell what is left out: %w", err)
			}
			continue
		}
		if other, taken := called[name]; taken && other != key.consumer {
			return nil, fmt.Errorf("the consumers %q and %q would both be called %q here; rename one of them in the export", other, key.consumer, name)
		}
		called[name] = key.consumer
		sum := sha256.Sum256([]byte(key.text))
		item := importItem{Consumer: name, SHA256: hex.EncodeToString(sum[:]), Labels: map[string]string{"imported-from": from}}
		if key.id != "" {
			item.Description = "credential " + key.id + " of " + from
		}
		if !key.expires.IsZero() {
			item.ExpiresAt = key.expires.UTC().Format(time.RFC3339)
		}
		items = append(items, item)
	}
	return items, nil
}

// unusable says why a key can't be taken over; "" when it can. It tells nothing of the key itself.
func (k exportedKey) unusable(consumer string, weak bool, now time.Time) string {
	different := make(map[rune]bool)
	plain := true
	for _, c := range k.text {
		different[c] = true
		plain = plain && c > ' ' && c <= '~'
	}
	switch {
	case consumer == "":
		return "nothing says whose it is"
	case k.text == "":
		return "it is empty"
	case strings.HasPrefix(k.text, "{vault://"), strings.HasPrefix(strings.ToLower(k.text), "$env://"), strings.HasPrefix(strings.ToLower(k.text), "$secret://"):
		return "it isn't in the export, which only refers to it"
	case !plain:
		return "it has spaces, or characters that aren't ASCII"
	case len(k.text) > maxKey:
		return fmt.Sprintf("it is longer than %d characters", maxKey)
	case !k.expires.IsZero() && !k.expires.After(now):
		return "it has expired"
	case !weak && (len(k.text) < weakBelow || len(different) < weakVariety):
		return "it is too easily guessed; give its consumer another, or say -force"
	}
	return ""
}

// nameOf makes of what a consumer is called elsewhere a name as consumers have them here.
func nameOf(there string) string {
	var name strings.Builder
	for _, c := range strings.ToLower(there) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
			name.WriteRune(c)
		default:
			name.WriteByte('-')
		}
	}
	cut := strings.Trim(name.String(), "._-")
	return strings.TrimRight(cut[:min(len(cut), maxName)], "._-")
}

// decodeExport reads YAML, of which JSON is a part. Errors of its decoder quote what they can't read, which may be a key.
func decodeExport(data []byte, into any) error {
	if err := yaml.Unmarshal(data, into); err != nil {
		return errors.New("it is neither YAML nor JSON of that gateway's form")
	}
	return nil
}
