package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBusInitWritesWhatANATSServerNeedsAndNoKeyButItsOwn(t *testing.T) {
	env := installation(t)
	dir := filepath.Join(t.TempDir(), "nats")
	for range 2 { // again, for another certificate
		out, _, err := try(t.Context(), t, env, "bus", "init", "-dir", dir, "-listen", "127.0.0.1:4222", "-store-dir", "/var/lib/nats")
		if err != nil || !strings.Contains(out, "NATS_URL") {
			t.Fatalf("%q, %v", out, err)
		}
	}
	read := func(name string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%s: %v, %v", name, info.Mode(), err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	config := read("nats-server.conf")
	for _, want := range []string{`"127.0.0.1:4222"`, "type: full", "sync_interval: always", filepath.Join(dir, "bus.key"), `"/var/lib/nats/accounts"`} {
		if !strings.Contains(config, want) {
			t.Errorf("the configuration doesn't say %s", want)
		}
	}
	if strings.Count(read("bus.crt"), "BEGIN CERTIFICATE") != 2 || !strings.Contains(read("bus.key"), "PRIVATE KEY") {
		t.Error("the certificate or its key is missing")
	}
	for _, text := range []string{config, read("bus.crt")} {
		// Seeds of nkeys begin with SO (operator), SA (account), SU (user).
		for _, secret := range []string{"PRIVATE KEY", "SOA", "SAA", "SUA"} {
			for _, word := range strings.Fields(text) {
				if strings.HasPrefix(word, secret) || (secret == "PRIVATE KEY" && strings.Contains(text, secret)) {
					t.Errorf("it holds a secret: %.12s…", word)
				}
			}
		}
	}
}

func TestBusCommandsThatAreWrongSayWhatIsMissing(t *testing.T) {
	env := installation(t)
	for want, args := range map[string][]string{
		"-dir":              {"bus", "init"},
		"-listen":           {"bus", "init", "-dir", t.TempDir(), "-listen", "nowhere"},
		"-certificate-life": {"bus", "init", "-dir", t.TempDir(), "-certificate-life", "1s"},
		"data folder":       {"bus"},
		"NATS_URL":          {"serve", "-nats-url", "bus:4222"},
	} {
		if _, _, err := try(context.Background(), t, env, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", args, err)
		}
	}
}
