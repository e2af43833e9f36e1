package telemetry

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const deployed = "../../../deploy/"

func TestDashboardsAndAlertsAskForWhatAControlPlaneShows(t *testing.T) {
	var names []string
	for _, m := range NewSources().list() {
		names = append(names, m.name)
	}
	files, err := filepath.Glob(deployed + "*/*.json")
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, file := range append(files, deployed+"prometheus/alerts.yaml") {
		for _, name := range regexp.MustCompile(`sallyport_control_[a-z_]+`).FindAllString(read(t, file), -1) {
			asked++
			if !slices.Contains(names, name) {
				t.Errorf("%s asks for %s, which no control plane shows", filepath.Base(file), name)
			}
		}
	}
	if asked < 10 {
		t.Errorf("only %d metrics were found in dashboards and alerts", asked)
	}
}

func TestEveryAlertSaysWhatToDo(t *testing.T) {
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, deployed+"prometheus/alerts.yaml")), &rules); err != nil {
		t.Fatal(err)
	}
	page := read(t, deployed+"prometheus/ALERTS.md")
	var headings []string
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			heading := "## " + rule.Alert
			headings = append(headings, heading)
			if !strings.Contains(page, "\n"+heading+"\n") {
				t.Errorf("ALERTS.md has no section %q", heading)
			}
			if rule.Expr == "" || rule.For == "" || rule.Annotations["summary"] == "" || !strings.HasSuffix(rule.Annotations["runbook_url"], "/ALERTS.md#"+strings.ToLower(rule.Alert)) {
				t.Errorf("%s lacks its expression, its time, its summary or the way to its section", rule.Alert)
			}
			if !slices.Contains([]string{"critical", "warning", "info"}, rule.Labels["severity"]) {
				t.Errorf("%s has the severity %q", rule.Alert, rule.Labels["severity"])
			}
		}
	}
	for _, heading := range regexp.MustCompile(`(?m)^## .*$`).FindAllString(page, -1) {
		if !slices.Contains(headings, heading) {
			t.Errorf("ALERTS.md has a section of no alert: %q", heading)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
