package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Keys of the fixtures.
const (
	shopKey  = "mWpZCz7KFZcRd0vJ5mWm4UJ9x8Vd3Z2A"
	spareKey = "lzYJm0cVbq7dN4w1lzYJm0cVbq7dN4w1"
)

var importTime = time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)

func sumOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// imported returns what an export comes to, as "consumer digest", and what was left out.
func imported(t *testing.T, from string, data []byte, weak bool) (items []importItem, notes string) {
	t.Helper()
	var out bytes.Buffer
	bodies, err := importBodies(from, data, weak, importTime, &out)
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range bodies {
		var request struct {
			CreateConsumers bool         `json:"create_consumers"`
			Items           []importItem `json:"items"`
		}
		if err := json.Unmarshal(body, &request); err != nil || !request.CreateConsumers {
			t.Fatalf("%s, %v", body, err)
		}
		items = append(items, request.Items...)
	}
	return items, out.String()
}

func summary(items []importItem) (all []string) {
	for _, item := range items {
		all = append(all, item.Consumer+" "+item.SHA256)
	}
	return all
}

func TestTheKeysOfOtherGatewaysExportsAreTakenOverByTheirDigests(t *testing.T) {
	for name, tt := range map[string]struct {
		want []string
		left int
	}{
		"kong-deck.yaml": {
			[]string{"shop-app " + sumOf(shopKey), "shop-app " + sumOf("12345678901234567890"), "partner-example.com " + sumOf("lzYJm0cVbq7dN4w1")}, 3,
		},
		"kong-dbless.yaml":       {[]string{"shop " + sumOf(shopKey)}, 0},
		"kong-key-auths.json":    {[]string{"shop " + sumOf(shopKey)}, 1},
		"apisix-v3.json":         {[]string{"shop " + sumOf(shopKey), "shop " + sumOf(spareKey)}, 1},
		"apisix-v2.json":         {[]string{"shop " + sumOf(shopKey)}, 0},
		"apisix-standalone.yaml": {[]string{"shop " + sumOf(shopKey)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			from, _, _ := strings.Cut(name, "-")
			items, notes := imported(t, from, fixture(t, name), false)
			if got := summary(items); !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s, want\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
			if got := strings.Count(notes, "left out"); got != tt.left {
				t.Errorf("%d are left out, want %d:\n%s", got, tt.left, notes)
			}
			for _, item := range items {
				if item.Labels["imported-from"] != from {
					t.Errorf("labels %v", item.Labels)
				}
			}
		})
	}
}

func TestAKeyOfKongThatEndsEndsHereToo(t *testing.T) {
	items, notes := imported(t, "kong", fixture(t, "kong-deck.yaml"), false)
	if items[0].ExpiresAt != "" || items[2].ExpiresAt != time.Unix(5700000000, 0).UTC().Format(time.RFC3339) || !strings.Contains(items[0].Description, "11111111-0000-4000-8000-000000000001") {
		t.Errorf("%+v", items)
	}
	for _, why := range []string{"easily guessed", "only refers to it", "has expired"} {
		if !strings.Contains(notes, why) {
			t.Errorf("nothing says %q:\n%s", why, notes)
		}
	}
}

func TestWeakKeysAreTakenOverByForceAlone(t *testing.T) {
	items, _ := imported(t, "kong", fixture(t, "kong-deck.yaml"), true)
	if got := summary(items); !slices.Contains(got, "careless "+sumOf("secret")) || len(got) != 4 {
		t.Errorf("%v", got)
	}
}

func TestWhatIsNoExportIsRefusedWithoutBeingQuoted(t *testing.T) {
	for name, data := range map[string]string{
		"no YAML":           "consumers: [" + shopKey,
		"another form":      "consumers: " + shopKey,
		"nothing in it":     "consumers: []",
		"two of one name":   "consumers: [{username: A b, keyauth_credentials: [{key: " + shopKey + "}]}, {username: a-b, keyauth_credentials: [{key: " + spareKey + "}]}]",
		"more than it may":  strings.Repeat(" ", maxExport+1),
		"an alias too many": "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\nconsumers: *d",
	} {
		if _, err := importBodies("kong", []byte(data), false, importTime, io.Discard); err == nil || strings.Contains(err.Error(), shopKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := importBodies("tyk", nil, false, importTime, io.Discard); err == nil {
		t.Error("exports of tyk were read")
	}
}

func TestAnImportSendsNoKeyAndAsManyRequestsAsItNeeds(t *testing.T) {
	var export strings.Builder
	export.WriteString("consumers:\n- username: shop\n  keyauth_credentials:\n")
	const all = 2*itemsAtOnce + 1
	for n := range all {
		fmt.Fprintf(&export, "  - key: a-key-of-kong-number-%d\n", n)
	}
	file := filepath.Join(t.TempDir(), "kong.yaml")
	if err := os.WriteFile(file, []byte(export.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var sizes []int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if bytes.Contains(body, []byte("a-key-of-kong")) || r.RequestURI != "/api/v1/environments/production/api-keys/import?dry_run=true&wait=5s" {
			t.Errorf("%s holds a key, or goes elsewhere", r.RequestURI)
		}
		sizes = append(sizes, bytes.Count(body, []byte(`"sha256"`)))
		_, _ = w.Write([]byte(`{"dry_run":true}`))
	}))
	defer server.Close()
	if err := run(t.Context(), []string{"-dry-run", "-wait", "5s", "import", "kong", file}, envOf(server.URL), nil, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(sizes, []int{itemsAtOnce, itemsAtOnce, 1}) {
		t.Errorf("requests of %v", sizes)
	}
	if err := run(t.Context(), []string{"-force", "get", "services"}, envOf(server.URL), nil, io.Discard, io.Discard); err == nil {
		t.Error("get took -force")
	}
}
