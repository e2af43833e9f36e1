package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/sallyport/sallyport/deploy/local/stack"
)

// settings are what the environment's variables say; README lists them.
type settings struct {
	dir, bin, environment string
	edges                 int
	ports                 stack.Ports
	restart               bool
}

func settingsFrom(getenv func(string) string) (settings, error) {
	s := settings{dir: getenv("SALLYPORT_DIR"), bin: getenv("SALLYPORT_BIN"), environment: "demo", edges: 2, ports: stack.DefaultPorts(), restart: true}
	if s.dir == "" {
		s.dir = ".sallyport"
	}
	if s.bin == "" {
		executable, err := os.Executable()
		if err != nil {
			return settings{}, fmt.Errorf("find the binaries: %w", err)
		}
		s.bin = filepath.Dir(executable)
	}
	var err error
	if s.dir, err = filepath.Abs(s.dir); err != nil {
		return settings{}, fmt.Errorf("SALLYPORT_DIR: %w", err)
	}
	numbers := []struct {
		name      string
		into      *int
		low, high int
	}{
		{"SALLYPORT_EDGES", &s.edges, 1, 16},
		{"SALLYPORT_PORT_POSTGRES", &s.ports.Postgres, 0, 65535},
		{"SALLYPORT_PORT_ADMIN", &s.ports.Admin, 0, 65535},
		{"SALLYPORT_PORT_CONSOLE", &s.ports.Console, 0, 65535},
		{"SALLYPORT_PORT_EDGE_API", &s.ports.EdgeAPI, 0, 65535},
		{"SALLYPORT_PORT_BUS", &s.ports.Bus, 0, 65535},
		{"SALLYPORT_PORT_DEMO", &s.ports.Demo, 0, 65535},
		{"SALLYPORT_PORT_EDGE", &s.ports.Edge, 0, 65535},
		{"SALLYPORT_PORT_EDGE_ADMIN", &s.ports.EdgeAdmin, 0, 65535},
	}
	for _, n := range numbers {
		text := getenv(n.name)
		if text == "" {
			continue
		}
		value, err := strconv.Atoi(text)
		if err != nil || value < n.low || value > n.high {
			return settings{}, fmt.Errorf("%s is %q; it takes a number from %d to %d", n.name, text, n.low, n.high)
		}
		*n.into = value
	}
	switch restart := getenv("SALLYPORT_RESTART"); restart {
	case "", "1":
	case "0":
		s.restart = false
	default:
		return settings{}, fmt.Errorf("SALLYPORT_RESTART is %q; it takes 0 or 1", restart)
	}
	return s, nil
}
