package handover

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestSocketsOfAServiceManagerAreTakenByName(t *testing.T) {
	me := strconv.Itoa(os.Getpid())
	for _, tt := range []struct {
		name string
		a    Activation
		want map[string]int
		err  string
	}{
		{"two", Activation{Process: me, Count: "2", Names: "operator:clients"}, map[string]int{"operator": 3, "clients": 4}, ""},
		{"one", Activation{Process: me, Count: "1", Names: "clients"}, map[string]int{"clients": 3}, ""},
		{"none", Activation{}, nil, ""},
		{"of none", Activation{Process: me, Count: "0"}, nil, ""},
		{"another process's", Activation{Process: "1", Count: "1", Names: "clients"}, nil, ""},
		{"no count", Activation{Process: me, Count: "many", Names: "clients"}, nil, "LISTEN_FDS"},
		{"too many", Activation{Process: me, Count: "9", Names: "clients"}, nil, "LISTEN_FDS"},
		{"fewer than none", Activation{Process: me, Count: "-1", Names: "clients"}, nil, "LISTEN_FDS"},
		{"without names", Activation{Process: me, Count: "1"}, nil, "FileDescriptorName="},
		{"fewer names", Activation{Process: me, Count: "2", Names: "clients"}, nil, "LISTEN_FDNAMES"},
		{"the unit's name", Activation{Process: me, Count: "1", Names: "sallyport-edge.socket"}, nil, "FileDescriptorName="},
		{"twice", Activation{Process: me, Count: "2", Names: "clients:clients"}, nil, "two sockets"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.a.passed(firstPassed, []string{"clients", "operator"})
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Fatalf("got %v, want %q", err, tt.err)
			}
			if len(got) != len(tt.want) {
				t.Fatalf("got %v, want %v", got, tt.want)
			}
			for name, number := range tt.want {
				if got[name] != number {
					t.Errorf("%s is %d, want %d", name, got[name], number)
				}
			}
		})
	}
}

func TestTheServiceManagerHearsHowFarTheProcessIs(t *testing.T) {
	path := filepath.Join(shortDir(t), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = manager.Close() })
	if err := (Activation{NotifyTo: path}).Notify("READY=1"); err != nil {
		t.Fatal(err)
	}
	if err := manager.SetReadDeadline(time.Now().Add(bound)); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 64)
	n, err := manager.Read(said)
	if err != nil || string(said[:n]) != "READY=1" {
		t.Errorf("it heard %q, %v", said[:n], err)
	}
	if err := (Activation{}).Notify("READY=1"); err != nil {
		t.Errorf("where nobody wants to hear: %v", err)
	}
	if err := (Activation{NotifyTo: path + ".gone"}).Notify("READY=1"); err == nil {
		t.Error("that nobody heard is no error")
	}
}
