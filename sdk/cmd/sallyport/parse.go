package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

const usage = `Usage: sallyport [flags] <command> [arguments]

Commands:
  get <collection> [<id or name>]          print objects ("services", "routes", "revisions", "nodes" …)
  create <collection> <file>               create an object from JSON
  put <collection> <id or name> <file>     create or replace an object
  patch <collection> <id or name> <file>   change fields of an object (JSON merge patch)
  delete <collection> <id or name>         delete an object
  apply <file>                             apply a batch: {"message": …, "operations": […]}
  rollback <revision>                      bring a revision's configuration back
  status revisions|sequences <number>      print which nodes hold it
  revocation <collection> <id or name>     print the proof that api-keys, consumers or blocks let somebody in no more
  import kong|apisix <file>                take over the API keys of another gateway's export, consumers included: by their SHA-256, so
                                           that no key leaves this machine; what is there already is passed over

A file of - is standard input. "environments", "users", "roles", "role-bindings", "access-tokens" and "policy-kinds" belong to no environment.
"settings" is one object: get settings, put settings <file>, patch settings <file>.

Flags:
  -environment name   environment to work in (SALLYPORT_ENVIRONMENT)
  -dry-run            print the plan and write nothing
  -force              import also keys that are easily guessed, and keys that were revoked here
  -wait duration      wait until the nodes have the change, at most 60s, and say how many of them do
  -limit number       how many objects get prints of a list: at most 500, 50 by default
  -cursor text        where get goes on in a list: the next_cursor it printed last
  -url address        base address of the admin API (SALLYPORT_URL)

The access token is read from SALLYPORT_TOKEN.
`

// Media types of bodies.
const (
	mediaJSON  = "application/json"
	mediaPatch = "application/merge-patch+json"
)

// global holds the collections that belong to no environment.
var global = map[string]bool{
	"environments": true, "access-tokens": true, "policy-kinds": true, "users": true, "roles": true, "role-bindings": true,
}

// singletons are the collections that are one object, which needs no key.
var singletons = map[string]bool{"settings": true}

// call is one request to make.
type call struct {
	base, token string
	method      string
	path        string
	media       string // "": no body
	body        []byte
	more        [][]byte // bodies of further requests, like this one
}

// parser reads arguments.
type parser struct {
	environment string
	dryRun      bool
	force       bool
	notes       io.Writer
	wait        string
	limit       string
	cursor      string
	in          io.Reader
}

// parse returns the request that the arguments ask for; nil when they ask for help.
func parse(args []string, env func(string) string, in io.Reader, notes io.Writer) (*call, error) {
	p := parser{in: in, notes: notes}
	c := &call{token: env("SALLYPORT_TOKEN")}
	flags := flag.NewFlagSet("sallyport", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&p.environment, "environment", env("SALLYPORT_ENVIRONMENT"), "")
	flags.BoolVar(&p.dryRun, "dry-run", false, "")
	flags.BoolVar(&p.force, "force", false, "")
	flags.StringVar(&p.wait, "wait", "", "")
	flags.StringVar(&p.limit, "limit", "", "")
	flags.StringVar(&p.cursor, "cursor", "", "")
	flags.StringVar(&c.base, "url", env("SALLYPORT_URL"), "")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) || err == nil && flags.NArg() == 0 || flags.Arg(0) == "help" {
		return nil, nil
	}
	if err != nil {
		return nil, usageError(err.Error())
	}
	for _, argument := range flags.Args() {
		switch {
		case slices.Contains([]string{"-h", "-help", "--help"}, argument):
			return nil, nil
		case len(argument) > 1 && argument[0] == '-': // no object's name begins so
			return nil, usageError(argument + " stands behind the command; flags go before it")
		}
	}
	if err := p.command(c, flags.Arg(0), flags.Args()[1:]); err != nil {
		return nil, err
	}
	switch {
	case c.base == "":
		return nil, usageError("set SALLYPORT_URL or -url")
	case c.token == "":
		return nil, usageError("set SALLYPORT_TOKEN")
	}
	return c, nil
}

// command fills in the request of a command.
func (p *parser) command(c *call, name string, args []string) error {
	want := map[string]int{"create": 2, "put": 3, "patch": 3, "delete": 2, "apply": 1, "rollback": 1, "import": 2}
	n, known := want[name]
	if len(args) > 0 && singletons[args[0]] && (name == "put" || name == "patch") {
		n--
	}
	switch {
	case p.force && name != "import":
		return usageError("-force is for import")
	case name == "get" && (len(args) == 1 || len(args) == 2):
		c.method = http.MethodGet
		if err := p.target(c, args...); err != nil {
			return err
		}
		c.path += query(map[string]string{"limit": p.limit, "cursor": p.cursor})
		return nil
	case (name == "status" || name == "revocation") && len(args) == 2:
		c.method = http.MethodGet
		return p.target(c, args[0], args[1], name)
	case name == "get", name == "status", name == "revocation", known && len(args) != n:
		return usageError("wrong number of arguments for " + name)
	case !known:
		return usageError(fmt.Sprintf("there is no command %q", name))
	case name == "import":
		return p.importKeys(c, args[0], args[1])
	}
	return p.write(c, name, args)
}

func (p *parser) write(c *call, name string, args []string) error {
	c.media = mediaJSON
	file := args[len(args)-1]
	target := args[:len(args)-1]
	switch name {
	case "create":
		c.method = http.MethodPost
	case "put":
		c.method = http.MethodPut
	case "patch":
		c.method, c.media = http.MethodPatch, mediaPatch
	case "delete":
		c.method, c.media, file, target = http.MethodDelete, "", "", args
	case "apply":
		c.method, target = http.MethodPost, []string{"changes"}
	case "rollback":
		c.method, c.media, file, target = http.MethodPost, "", "", []string{"revisions", args[0], "rollback"}
	}
	if err := p.target(c, target...); err != nil {
		return err
	}
	c.path += query(map[string]string{"dry_run": truth(p.dryRun), "wait": p.wait})
	if file == "" {
		return nil
	}
	var err error
	c.body, err = p.read(file)
	return err
}

// importKeys fills in the requests that take over the keys of an export.
func (p *parser) importKeys(c *call, from, file string) error {
	data, err := p.read(file)
	if err != nil {
		return err
	}
	bodies, err := importBodies(from, data, p.force, time.Now(), p.notes)
	if err != nil {
		return err
	}
	c.method, c.media, c.body, c.more = http.MethodPost, mediaJSON, bodies[0], bodies[1:]
	if err := p.target(c, "api-keys", "import"); err != nil {
		return err
	}
	c.path += query(map[string]string{"dry_run": truth(p.dryRun), "force": truth(p.force), "wait": p.wait})
	return nil
}

// truth is a flag as a parameter's value.
func truth(given bool) string {
	if given {
		return "true"
	}
	return ""
}

// target sets the path of a collection or object.
func (p *parser) target(c *call, segments ...string) error {
	path := "/api/v1"
	if !global[segments[0]] {
		if p.environment == "" {
			return usageError("set SALLYPORT_ENVIRONMENT or -environment")
		}
		path += "/environments/" + url.PathEscape(p.environment)
	}
	escaped := make([]string, len(segments))
	for i, segment := range segments {
		if segment == "" || segment == "." || segment == ".." {
			return usageError(fmt.Sprintf("%q names nothing", segment))
		}
		escaped[i] = url.PathEscape(segment)
	}
	c.path = path + "/" + strings.Join(escaped, "/")
	return nil
}

// query returns the query of these parameters, those without a value left out.
func query(parameters map[string]string) string {
	values := url.Values{}
	for name, value := range parameters {
		if value != "" {
			values.Set(name, value)
		}
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

func (p *parser) read(file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(p.in)
	}
	if strings.TrimSpace(file) == "" {
		return nil, usageError("the file has no name")
	}
	return os.ReadFile(file)
}
