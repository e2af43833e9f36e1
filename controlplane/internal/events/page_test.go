package events

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of EVENTS.md anew")

const (
	tableBegins = "<!-- The table is made by: go test ./controlplane/internal/events -run EventsPage -update -->\n"
	tableEnds   = "<!-- The table ends. -->\n"
)

func TestTheEventsPageHasEveryType(t *testing.T) {
	page, err := os.ReadFile("EVENTS.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(page), tableBegins)
	_, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		t.Fatal("the page has no place for the table")
	}
	var table strings.Builder
	table.WriteString("| type | what happened |\n|---|---|\n")
	for _, kind := range Types() {
		fmt.Fprintf(&table, "| `%s` | %s |\n", kind.Name, kind.Meaning)
	}
	want := before + tableBegins + table.String() + tableEnds + after
	if *update {
		if err := os.WriteFile("EVENTS.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(page) {
		t.Error("the table isn't what the code tells of: go test ./controlplane/internal/events -run EventsPage -update")
	}
}
