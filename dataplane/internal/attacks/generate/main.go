package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/corazawaf/coraza-coreruleset/v4/tests"
	"go.yaml.in/yaml/v3"
)

const (
	// maxPayload bounds a payload, in bytes: longer ones are tests of lengths.
	maxPayload = 4096
	// maxOfRule bounds the attacks of one rule.
	maxOfRule = 64
	// maxTitle bounds a title, in bytes.
	maxTitle = 160
)

func main() {
	out := flag.String("o", "attacks.gz", "file to write")
	flag.Parse()
	if err := write(*out); err != nil {
		slog.Error("the attacks can't be generated", "error", err)
		os.Exit(1)
	}
}

func write(out string) error {
	text, err := attacks(tests.FS)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	pack, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	_, err = pack.Write(text)
	if err = cmp.Or(err, pack.Close()); err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	if err := os.WriteFile(out, packed.Bytes(), 0o644); err != nil { // #nosec G306 -- a source file
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// file is one of the regression tests' files.
type file struct {
	Rule  int    `yaml:"rule_id"`
	Tests []test `yaml:"tests"`
}

type test struct {
	ID     int    `yaml:"test_id"`
	Title  string `yaml:"desc"`
	Stages []struct {
		Input  input `yaml:"input"`
		Output struct {
			Log struct {
				Expected []int `yaml:"expect_ids"`
			} `yaml:"log"`
		} `yaml:"output"`
	} `yaml:"stages"`
}

// attacks returns the lines of the file: test, title, payload.
func attacks(tests fs.FS) ([]byte, error) {
	var lines bytes.Buffer
	names, err := fs.Glob(tests, "*/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list the tests: %w", err)
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(path.Base(a), path.Base(b)) })
	for _, name := range names {
		text, err := fs.ReadFile(tests, name)
		if err != nil {
			return nil, fmt.Errorf("read a test: %w", err)
		}
		var f file
		if err := yaml.Unmarshal(text, &f); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		f.list(&lines)
	}
	return lines.Bytes(), nil
}

// list writes a line for each attack of a file that none before is equal to.
func (f *file) list(lines *bytes.Buffer) {
	seen := make(map[string]bool)
	for _, t := range f.Tests {
		for _, stage := range t.Stages {
			if !slices.Contains(stage.Output.Log.Expected, f.Rule) {
				continue
			}
			for _, payload := range stage.Input.payloads() {
				if payload == "" || len(payload) > maxPayload || seen[payload] || len(seen) == maxOfRule {
					continue
				}
				seen[payload] = true
				fmt.Fprintf(lines, "%d-%d %s %s\n", f.Rule, t.ID, strconv.QuoteToASCII(cut(t.Title)), strconv.QuoteToASCII(payload))
			}
		}
	}
}

// cut makes one short line of a title.
func cut(title string) string {
	title = strings.Join(strings.Fields(title), " ")
	if len(title) > maxTitle {
		title = strings.ToValidUTF8(title[:maxTitle], "") + "…"
	}
	return title
}
