package corpus

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/corazawaf/coraza-coreruleset/v4/tests"
	"go.yaml.in/yaml/v3"
)

// Test is one request of the Core Rule Set's regression tests, and what is expected of it.
type Test struct {
	// Name is "942100-3", or "934120-43.2" for the second request of several.
	Name string
	// Rule that is tested.
	Rule    int
	Request Request
	// Finds are rules that must find something, Spares those that mustn't.
	Finds, Spares []int
	// Logged is what a line of the log must match, NotLogged what none may; "": not said.
	Logged, NotLogged string
	// Status of the answer; 0: not said.
	Status int
	// Breaks says that there may be no answer at all.
	Breaks bool
}

// Regression returns the Core Rule Set's regression tests in the order of their files. The slice is the caller's, its requests aren't.
func Regression() []Test {
	all, err := regression()
	if err != nil {
		panic(err) // they are compiled in, and a test reads them
	}
	return append([]Test(nil), all...)
}

var regression = sync.OnceValues(func() ([]Test, error) { return readTests(tests.FS) })

// readTests reads all tests of a folder, strictly: a field that isn't known may be an expectation.
func readTests(from fs.FS) ([]Test, error) {
	var all []Test
	err := fs.WalkDir(from, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".yaml" {
			return err
		}
		text, err := fs.ReadFile(from, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		read, err := parseTests(text)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, read...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the regression tests: %w", err)
	}
	return all, nil
}

// file is one of tests for one rule, as the framework has it that they are written for (FTW, version 2).
type file struct {
	Meta   yaml.Node `yaml:"meta"`
	Author string    `yaml:"author"` // astray in one file
	RuleID int       `yaml:"rule_id"`
	Tests  []struct {
		ID          int     `yaml:"test_id"`
		Title       string  `yaml:"test_title"`
		Description string  `yaml:"desc"`
		Stages      []stage `yaml:"stages"`
	} `yaml:"tests"`
}

type stage struct {
	Description string `yaml:"description"`
	Input       input  `yaml:"input"`
	Output      output `yaml:"output"`
}

type input struct {
	Address  string    `yaml:"dest_addr"`
	Port     int       `yaml:"port"`
	Protocol string    `yaml:"protocol"`
	Method   *string   `yaml:"method"`
	URI      *string   `yaml:"uri"`
	Version  *string   `yaml:"version"`
	Headers  yaml.Node `yaml:"headers"` // in order
	Data     *string   `yaml:"data"`
	Encoded  string    `yaml:"encoded_request"`
	Complete *bool     `yaml:"autocomplete_headers"`
}

type output struct {
	Status      int  `yaml:"status"`
	ExpectError bool `yaml:"expect_error"`
	RetryOnce   bool `yaml:"retry_once"`
	Log         struct {
		Finds     []int  `yaml:"expect_ids"`
		Spares    []int  `yaml:"no_expect_ids"`
		Logged    string `yaml:"match_regex"`
		NotLogged string `yaml:"no_match_regex"`
	} `yaml:"log"`
}

// parseTests reads one file. An empty one has none.
func parseTests(text []byte) ([]Test, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	var read file
	if err := decoder.Decode(&read); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	var all []Test
	for _, test := range read.Tests {
		for n := range test.Stages {
			name := fmt.Sprintf("%d-%d", read.RuleID, test.ID)
			if n > 0 {
				name += "." + strconv.Itoa(n+1)
			}
			request, err := test.Stages[n].Input.request()
			if err != nil {
				return nil, fmt.Errorf("test %s: %w", name, err)
			}
			request.Name = "crs/" + name
			said := &test.Stages[n].Output
			all = append(all, Test{
				Name: name, Rule: read.RuleID, Request: request, Status: said.Status, Breaks: said.ExpectError,
				Finds: said.Log.Finds, Spares: said.Log.Spares, Logged: said.Log.Logged, NotLogged: said.Log.NotLogged,
			})
		}
	}
	return all, nil
}

// request is what the framework would send.
func (in *input) request() (Request, error) {
	if in.Encoded != "" {
		raw, err := base64.StdEncoding.DecodeString(in.Encoded)
		if err != nil {
			return Request{}, fmt.Errorf("encoded_request: %w", err)
		}
		return readRaw(raw), nil
	}
	r := Request{Method: "GET", Target: "/", Proto: "HTTP/1.1"}
	for said, into := range map[*string]*string{in.Method: &r.Method, in.URI: &r.Target, in.Version: &r.Proto} {
		if said != nil {
			*into = *said
		}
	}
	if in.Headers.Kind == yaml.MappingNode {
		for n := 0; n+1 < len(in.Headers.Content); n += 2 {
			r.Header = append(r.Header, Field{in.Headers.Content[n].Value, in.Headers.Content[n+1].Value})
		}
	}
	if in.Data != nil {
		r.Body = []byte(expand(*in.Data))
	}
	if in.Complete == nil || *in.Complete {
		if len(r.Body) > 0 && r.Get("Content-Type") == "" {
			r.Header = append(r.Header, Field{"Content-Type", "application/x-www-form-urlencoded"})
		}
		if r.Get("Connection") == "" {
			r.Header = append(r.Header, Field{"Connection", "close"})
		}
		r.complete()
	}
	return r, nil
}

// repeated is the one template that data may hold.
var repeated = regexp.MustCompile(`\{\{ "([^"]*)" \| repeat ([0-9]{1,6}) \}\}`)

// expand fills the template in.
func expand(data string) string {
	return repeated.ReplaceAllStringFunc(data, func(found string) string {
		parts := repeated.FindStringSubmatch(found)
		n, _ := strconv.Atoi(parts[2]) // digits
		return strings.Repeat(parts[1], n)
	})
}

// readRaw takes a request apart as a lenient reader does: what engines that are asked in the process are told of it.
func readRaw(raw []byte) Request {
	head, body, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	first, rest, _ := strings.Cut(string(head), "\r\n")
	r := Request{Raw: raw, Body: body}
	r.Method, first, _ = strings.Cut(first, " ")
	r.Target, r.Proto, _ = strings.Cut(first, " ")
	for line := range strings.SplitSeq(rest, "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			r.Header = append(r.Header, Field{name, strings.TrimSpace(value)})
		}
	}
	if strings.EqualFold(r.Get("Transfer-Encoding"), "chunked") {
		r.Body = joinChunks(body)
	}
	return r
}

// joinChunks undoes the chunked coding of a well-formed body.
func joinChunks(body []byte) []byte {
	var joined []byte
	for {
		size, rest, ok := bytes.Cut(body, []byte("\r\n"))
		n, err := strconv.ParseUint(string(size), 16, 31)
		if !ok || err != nil || n == 0 || uint64(len(rest)) < n+2 {
			return joined
		}
		joined, body = append(joined, rest[:n]...), rest[n+2:]
	}
}
