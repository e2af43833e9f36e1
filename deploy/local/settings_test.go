package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/deploy/local/stack"
)

func TestVariablesChooseWhatRuns(t *testing.T) {
	variables := map[string]string{
		"SALLYPORT_DIR": "/state", "SALLYPORT_BIN": "/bin", "SALLYPORT_EDGES": "4", "SALLYPORT_PORT_EDGE": "0",
		"SALLYPORT_PORT_ADMIN": "1234", "SALLYPORT_RESTART": "0",
	}
	got, err := settingsFrom(func(name string) string { return variables[name] })
	if err != nil {
		t.Fatal(err)
	}
	want := settings{dir: "/state", bin: "/bin", environment: "demo", edges: 4, ports: stack.DefaultPorts()}
	want.ports.Edge, want.ports.Admin = 0, 1234
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAWrongVariableIsNamed(t *testing.T) {
	for name, value := range map[string]string{
		"SALLYPORT_EDGES": "none", "SALLYPORT_PORT_ADMIN": "70000", "SALLYPORT_PORT_BUS": "-1", "SALLYPORT_RESTART": "no",
	} {
		_, err := settingsFrom(func(asked string) string {
			if asked == name {
				return value
			}
			return ""
		})
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), value) {
			t.Errorf("%s=%s: %v, want an error that names both", name, value, err)
		}
	}
}

func TestShellsReadBackWhatWasQuoted(t *testing.T) {
	for _, value := range []string{"plain", "with space", "it's", `$HOME "x" \ ;&|`, "''"} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "v="+quote(value)+`; printf %s "$v"`).Output()
		if err != nil || string(out) != value {
			t.Errorf("%q came back as %q, %v", value, out, err)
		}
	}
}
